package block_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// BenchmarkBytes tells what a reading of 27 measured values takes: a round of 100 terminals that are read each 30
// seconds. Beside it stand the floor of the same readings, and what they take as protobuf and with general compressors.
func BenchmarkBytes(b *testing.B) {
	for _, of := range []struct {
		name     string
		options  blocktest.Options
		perBlock []int
	}{
		{"one time a round", blocktest.Options{Times: blocktest.TimesByRound}, []int{1, 10, 100}},
		{"one time a round, 20 payments an hour", blocktest.Options{Times: blocktest.TimesByRound, Payments: 20}, []int{100}},
		{"one time a reading", blocktest.Options{Times: blocktest.TimesByReading}, []int{1, 10, 100}},
		{"late each by itself", blocktest.Options{Times: blocktest.TimesByKind}, []int{1, 10, 100}},
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
	fleet, length := 100, 1000
	if n == 1 {
		length = 100
	}
	least := newFloor()
	var packed, plain, deflated, zstandard int
	flater, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		b.Fatal(err)
	}
	zstder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		b.Fatal(err)
	}
	defer zstder.Close()
	for number := range fleet {
		opts.Number = uint64(number)
		terminal := blocktest.New(opts)
		least.terminal()
		for range length / n {
			var events [][]byte
			for range n {
				round := terminal.Round()
				least.add(round)
				events = append(events, encoded(b, round...)...)
			}
			p, err := block.Encode(events)
			if err != nil {
				b.Fatal(err)
			}
			packed += len(p)
			message, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
			if err != nil {
				b.Fatal(err)
			}
			plain += len(message)
			var out bytes.Buffer
			flater.Reset(&out)
			if _, err := flater.Write(message); err != nil {
				b.Fatal(err)
			}
			flater.Close()
			deflated += out.Len()
			zstandard += len(zstder.EncodeAll(message, nil))
		}
	}
	per := func(bytes int) float64 { return float64(bytes) / float64(fleet*length) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(packed), "B/reading")
	b.ReportMetric(least.bytes(), "B-floor")
	b.ReportMetric(per(plain), "B-protobuf")
	b.ReportMetric(per(deflated), "B-flate")
	b.ReportMetric(per(zstandard), "B-zstd")
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
