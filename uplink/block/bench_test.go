package block_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// BenchmarkBytes tells what a reading of 27 measured values takes: a round of 100 terminals that are read each 30
// seconds. B/reading is the whole block, as it goes to the wire. Beside it stand the floor of the same readings (what no
// coder of differences goes below), and what they take as protobuf, with and without flate, and in columns with flate.
func BenchmarkBytes(b *testing.B) {
	for _, of := range []struct {
		name     string
		options  blocktest.Options
		perBlock []int
	}{
		{"one time a round", blocktest.Options{Times: blocktest.TimesByRound}, []int{1, 10, 100}},
		{"one time a round, 20 payments an hour", blocktest.Options{Times: blocktest.TimesByRound, Payments: 20}, []int{100}},
		{"one time a reading", blocktest.Options{Times: blocktest.TimesByReading}, []int{10, 100}},
		{"late each by itself", blocktest.Options{Times: blocktest.TimesByKind}, []int{10, 100}},
	} {
		for _, n := range of.perBlock {
			b.Run(fmt.Sprintf("%s/%d a block", of.name, n), func(b *testing.B) {
				of.options.Seed, of.options.Jitter = 1, blocktest.Jitter
				for b.Loop() {
					measure(b, of.options, n)
				}
			})
		}
	}
}

// measure packs the readings of a fleet into blocks of n rounds and reports what a round takes.
func measure(b *testing.B, opts blocktest.Options, n int) {
	const fleet = 100
	length := map[int]int{1: 100, 10: 300, 100: 1000}[n]
	least, general := newFloor(), newDeflater(b)
	var packed, plain, flate, columnar int
	for number := range uint64(fleet) {
		opts.Number = number
		terminal := blocktest.New(opts)
		least.terminal()
		for range length / n {
			var events [][]byte
			columns := newColumns()
			for range n {
				round := terminal.Round()
				least.add(round)
				for _, e := range round {
					columns.add(e)
				}
				events = append(events, encoded(b, round...)...)
			}
			p, err := block.Encode(events)
			if err != nil {
				b.Fatal(err)
			}
			message, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
			if err != nil {
				b.Fatal(err)
			}
			packed += len(p)
			plain += len(message)
			flate += general.size(message)
			columnar += general.size(columns.all())
		}
	}
	per := func(bytes int) float64 { return float64(bytes) / float64(fleet*length) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(packed), "B/reading")
	b.ReportMetric(least.bytes(), "B-floor")
	b.ReportMetric(per(plain), "B-protobuf")
	b.ReportMetric(per(flate), "B-protobuf-flate")
	b.ReportMetric(per(columnar), "B-columns-flate")
}

// BenchmarkEncode and BenchmarkDecode tell what an event costs.

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d rounds", n), func(b *testing.B) {
			events := rounds(b, n, blocktest.Options{Jitter: blocktest.Jitter, Times: blocktest.TimesByReading})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := block.Encode(events); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d rounds", n), func(b *testing.B) {
			packed, err := block.Encode(rounds(b, n, blocktest.Options{Jitter: blocktest.Jitter, Times: blocktest.TimesByReading}))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := block.Decode(packed); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(4*n*b.N), "ns/event")
		})
	}
}
