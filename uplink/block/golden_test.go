package block_test

import (
	"bytes"
	"errors"
	"flag"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

var missing = flag.Bool("missing", false, "write the golden files that are not there")

// golden is where blocks of released formats are. Each NAME.block has its events beside it as NAME.events, which is a
// TelemetryBlock. They are never written again: a block on a terminal's flash must open for ever.
const golden = "../../testdata/wire"

func TestGolden(t *testing.T) {
	if *missing {
		for name, events := range goldenEvents(t) {
			writeGolden(t, filepath.Join(golden, name), events)
		}
	}
	blocks, err := filepath.Glob(filepath.Join(golden, "*.block"))
	if err != nil || len(blocks) < 8 {
		t.Fatalf("%d blocks in %s (error %v)", len(blocks), golden, err)
	}
	for _, path := range blocks {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want wire.TelemetryBlock
			if err := proto.Unmarshal(read(t, path[:len(path)-len(".block")]+".events"), &want); err != nil {
				t.Fatal(err)
			}
			got, err := block.Decode(read(t, path))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, want.Events, bytes.Equal) {
				t.Errorf("the block of %d events has other events than it had", len(want.Events))
			}
		})
	}
}

// The same events make the same block on every machine. A writer that finds better columns changes these sums; the format
// and the golden files stay.
func TestSameOnEveryMachine(t *testing.T) {
	for name, want := range map[string]uint32{
		"block-1-by-kind":    0xa131679b,
		"block-1-by-reading": 0x1a9b49d2,
		"block-1-by-round":   0x3bd73faa,
		"block-1-one-round":  0x5260d90f,
		"block-1-one":        0x6ebb867b,
		"block-1-random":     0x4b7b4f54,
		"block-1-strange":    0xf784b0ae,
		"block-1-zeros":      0x87646aea,
	} {
		var events wire.TelemetryBlock
		if err := proto.Unmarshal(read(t, filepath.Join(golden, name+".events")), &events); err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(checkRoundTrip(t, events.Events)); got != want {
			t.Errorf("%s: the block has the sum %#08x, want %#08x", name, got, want)
		}
	}
}

// goldenEvents returns the events of format 1, by the name of the file.
func goldenEvents(t *testing.T) map[string][][]byte {
	r := newRandom(1)
	var kinds []*wire.Event
	for range 40 {
		kinds = append(kinds, r.event())
	}
	options := func(number uint64, times blocktest.Times) blocktest.Options {
		return blocktest.Options{Seed: 1, Number: number, Jitter: blocktest.Jitter, Times: times}
	}
	one := rounds(t, 1, options(0, blocktest.TimesByRound))
	long := &wire.Lifecycle{Detail: strings.Repeat("x", 1000)}
	return map[string][][]byte{
		"block-1-one":        one[:1],
		"block-1-one-round":  one,
		"block-1-by-round":   rounds(t, 30, options(1, blocktest.TimesByRound)),
		"block-1-by-reading": rounds(t, 30, options(2, blocktest.TimesByReading)),
		"block-1-by-kind":    rounds(t, 30, options(3, blocktest.TimesByKind)),
		"block-1-random":     encoded(t, kinds...),
		"block-1-strange":    {one[0], {}, []byte("no event"), append(bytes.Clone(one[1]), 0x98, 0x06, 7), nest(5), one[2], one[2]},
		"block-1-zeros":      slices.Repeat(encoded(t, &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: long}}), 200),
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeGolden writes a block and its events to files of that name, unless they are there.
func writeGolden(t *testing.T, path string, events [][]byte) {
	t.Helper()
	if _, err := os.Stat(path + ".block"); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	plain, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string][]byte{path + ".block": checkRoundTrip(t, events), path + ".events": plain} {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
