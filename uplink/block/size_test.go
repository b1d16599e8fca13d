package block_test

import (
	"testing"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
)

// The budget of DESIGN.md: a reading of 27 values takes no more than 10 bytes, 100 a block, on a fleet whose readings have
// about 9 bytes that nobody can foretell. What smaller blocks may take says what each of them must hold anyway.
// BenchmarkBytes has the whole fleet, and what others make of it.
func TestBytesOfReading(t *testing.T) {
	for n, most := range map[int]float64{1: 122, 10: 23, 100: 10} {
		size, readings := 0, 0
		for number := range uint64(10) {
			terminal := blocktest.New(blocktest.Options{Seed: 1, Number: number, Jitter: blocktest.Jitter})
			for range 300 { // until batteries that began low are charged
				terminal.Round()
			}
			for range 100 / n {
				var events [][]byte
				for range n {
					events = append(events, encoded(t, terminal.Round()...)...)
				}
				b, err := block.Encode(events)
				if err != nil {
					t.Fatal(err)
				}
				size += len(b)
				readings += n
			}
		}
		if got := float64(size) / float64(readings); got > most {
			t.Errorf("%d readings a block: %.2f bytes each, want no more than %.2f", n, got, most)
		}
	}
}
