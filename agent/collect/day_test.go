package collect_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// batchCost is what a batch costs beside its block, in bytes: HTTP/2, TLS, and TCP and IP, the same of its ack and the
// acknowledgement of that. The program uplink/cmd/cost counts it.
const batchCost = 240

// shop packs blocks as the agent does, with the readings of a terminal in a shop in the place of what the collector read:
// these keep their times, their rounds and their blocks.
type shop struct {
	terminal *blocktest.Terminal
	begin    time.Time
	rounds   int
	now      []*wire.Event

	blocks, bytes, events int
}

func newShop(number uint64) *shop {
	s := &shop{begin: time.Now(), terminal: blocktest.New(blocktest.Options{Number: number, Every: time.Minute, Payments: 1e-9})}
	for range 300 { // until a battery that began low is charged
		s.now = s.terminal.Round()
	}
	return s
}

func (s *shop) pack(events [][]byte) ([]byte, error) {
	events = slices.Clone(events)
	for i, b := range events {
		e := new(wire.Event)
		if err := proto.Unmarshal(b, e); err != nil {
			return nil, err
		}
		minutes := int(time.UnixMilli(e.Clock.GetWallUnixMs()).Sub(s.begin) / time.Minute)
		for ; s.rounds < minutes; s.rounds++ {
			s.now = s.terminal.Round()
		}
		for _, r := range s.now {
			if isBattery(e) && isBattery(r) || isHost(e) && isHost(r) || isApp(e) && isApp(r) {
				e.Body = r.Body
			}
		}
		var err error
		if events[i], err = (proto.MarshalOptions{Deterministic: true}).Marshal(e); err != nil {
			return nil, err
		}
	}
	packed, err := block.Encode(events)
	s.blocks++
	s.bytes += len(packed)
	s.events += len(events)
	return packed, err
}

// disciplined returns the clock of a terminal that keeps its time by NTP, which moves it by some milliseconds now and then.
func disciplined(number uint64) *hal.Clock {
	rng := rand.New(rand.NewPCG(1, number))
	booted := time.Now().Add(-100 * time.Hour)
	return hal.NewClockOf(hal.ClockSources{
		BootID: []byte("0123456789abcdef"), Wall: time.Now, Synchronised: func() bool { return true },
		SinceBoot: func() (time.Duration, bool) {
			if rng.Float64() < 0.002 {
				booted = booted.Add(time.Duration(2 * rng.NormFloat64() * float64(time.Millisecond)))
			}
			return time.Since(booted), true
		},
	})
}

// The budget of DESIGN.md: an idle day costs no more than 100 KB on the wire. What a day offline leaves goes in one batch.
func TestBytesOfDay(t *testing.T) {
	const terminals = 2
	for _, test := range []struct {
		name    string
		awaited bool
		most    int // bytes on the wire
	}{{"online", true, 100_000}, {"offline", false, 25_000}} {
		t.Run(test.name, func(t *testing.T) {
			var blocks, bytes, events int
			for number := range uint64(terminals) {
				synctest.Test(t, func(t *testing.T) {
					s, opts := newShop(number), shipped()
					opts.Clock, opts.Guard = disciplined(number), pci.NewGuard(s.pack)
					opts.Awaited = func() bool { return test.awaited }
					opts.Sink = discard{}
					b := run(t, opts)
					pass(24 * time.Hour)
					b.stop()
					blocks, bytes, events = blocks+s.blocks, bytes+s.bytes, events+s.events
				})
			}
			blocks, bytes, events = blocks/terminals, bytes/terminals, events/terminals
			if events < 3150 {
				t.Errorf("%d readings in a day, want 3,168", events)
			}
			batches := 1
			if test.awaited {
				batches = blocks
			}
			total := bytes + batches*batchCost
			if total > test.most {
				t.Errorf("%d bytes a day, want no more than %d", total, test.most)
			}
			t.Logf("%d readings in %d blocks of %d bytes, in %d batches: %d bytes", events, blocks, bytes/blocks, batches, total)
		})
	}
}

// discard is a sink that takes everything and keeps nothing.
type discard struct{}

func (discard) AppendTelemetry(pci.Clean) (uint64, error) { return 0, nil }
func (discard) Spill(context.Context) error               { return nil }
