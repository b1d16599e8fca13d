package collect_test

import (
	"context"
	"crypto/fips140"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// queueOptions describes a new queue, in a folder of its own.
func queueOptions(t *testing.T) buffer.Options {
	t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	return buffer.Options{
		Path: filepath.Join(t.TempDir(), "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 64 << 20,
		LedgerReserve: 16 << 20, TelemetryMemory: 1 << 20, SpillAfter: time.Minute, Log: zerolog.Nop(),
	}
}

// With real parts: this machine's readings are in a real queue's file when everything has stopped, all of them and once.
func TestCollectorIntoQueue(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("the FIPS module draws entropy from the clock, which stands still in a bubble")
	}
	synctest.Test(t, func(t *testing.T) {
		opts := queueOptions(t)
		queue, err := buffer.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		c := collect.New(collect.Options{
			Board: hal.Open(hal.Profile{DataPath: opts.Path}), Clock: hal.NewClock("/proc"), Sink: queue,
			Guard: pci.NewGuard(func(events [][]byte) ([]byte, error) {
				return proto.Marshal(&wire.TelemetryBlock{Events: events})
			}),
			HostEvery: 10 * time.Second, AppEvery: 10 * time.Second, Jitter: 0.1,
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c.Run(ctx)
		if err := queue.Close(); err != nil {
			t.Fatal(err)
		}

		queue, err = buffer.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		defer queue.Close()
		var events, blocks uint64
		for _, lane := range queue.Lanes() {
			if lane.Lane != buffer.Telemetry || lane.Depth() == 0 {
				continue
			}
			records, err := queue.Read(lane.LaneID, lane.Oldest, 1<<20, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				var block wire.TelemetryBlock
				if err := proto.Unmarshal(r.Payload, &block); err != nil {
					t.Fatal(err)
				}
				blocks, events = blocks+1, events+uint64(len(block.Events))
			}
		}
		if stats := c.Stats(); stats != (collect.Stats{Events: events, Blocks: blocks}) || events < 700 {
			t.Errorf("counted %+v; %d events in %d blocks are in the file", stats, events, blocks)
		}
	})
}
