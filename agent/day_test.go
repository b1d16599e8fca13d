package main

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// batchCost is what a batch costs beside its block, in bytes: HTTP/2, TLS, and TCP and IP, the same of its ack and the
// acknowledgement of that. The program uplink/cmd/cost counts it.
const batchCost = 240

// day is what an idle terminal in a shop records in a day, block by block. The collector makes it from the hardware of a
// board: what it reads there is replaced by what such a terminal reads, and keeps its times, its rounds and its blocks.
type day struct {
	shop   *blocktest.Terminal
	begin  time.Time
	rounds int
	now    []*wire.Event

	blocks [][][]byte
}

// passDay lets a day pass on a terminal with those settings, for which somebody waits or nobody does.
func passDay(t *testing.T, cfg Config, number uint64, awaited bool) *day {
	t.Helper()
	d := new(day)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d.begin = time.Now()
		d.shop = blocktest.New(blocktest.Options{Number: number, Every: time.Minute, Payments: 1e-9})
		for range 300 { // until a battery that began low is charged
			d.now = d.shop.Round()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		board, unplug := shopBoard(ctx, t, dir)
		defer unplug()
		opts := collectOptions(cfg)
		opts.Board, opts.Clock = board, disciplined(number)
		opts.Guard, opts.Sink = pci.NewGuard(d.take), discard{}
		opts.Awaited = func() bool { return awaited }
		opts.Uplink = shopUplink(number)
		c := collect.New(opts)
		var selling sync.WaitGroup
		selling.Go(func() { sell(ctx, t, c, number) })
		c.Run(ctx)
		selling.Wait()
	})
	return d
}

// sell reports what a POS app does in the ten hours that a shop is open: 200 sales, in five operations each.
func sell(ctx context.Context, t *testing.T, c *collect.Collector, number uint64) {
	const open, sales = 10 * time.Hour, 200
	rng := rand.New(rand.NewPCG(3, number))
	for range sales {
		select {
		case <-time.After(time.Duration(rng.ExpFloat64() * float64(open) / sales)):
		case <-ctx.Done():
			return
		}
		report := &collect.AppReport{App: "pos", Version: "4.2.0"}
		for name, ms := range map[string]float64{"card.read": 900, "authorise": 1600, "receipt.print": 2100, "loyalty.stamp": 60, "sale": 9000} {
			took := new(sketch.Sketch)
			took.Add(uint32(1000 * ms * math.Exp(0.4*rng.NormFloat64())))
			report.Operations = append(report.Operations, collect.OperationReport{Name: name, Durations: took})
		}
		if _, err := c.Report(report); err != nil {
			t.Error(err)
		}
	}
}

// shopUplink returns what the uplink of a terminal over a cell says in the course of a day: a block each eight minutes, and
// now and then another connection.
func shopUplink(number uint64) func() *wire.UplinkStatus {
	rng := rand.New(rand.NewPCG(2, number))
	begun, last := time.Now(), time.Now()
	s := &wire.UplinkStatus{State: wire.UplinkState_UPLINK_STATE_ONLINE, Connects: 1, Traffic: &wire.Traffic{SentTcpBytes: new(uint64(0)), ReceivedTcpBytes: new(uint64(0))}}
	return func() *wire.UplinkStatus {
		for ; time.Since(last) > 8*time.Minute; last = last.Add(8 * time.Minute) {
			s.Traffic.SentTelemetryBytes += 250 + rng.Uint64N(60)
			s.Traffic.SentOverheadBytes += 31
			s.Traffic.ReceivedOverheadBytes += 40 + rng.Uint64N(3)
			*s.Traffic.SentTcpBytes += 104
			*s.Traffic.ReceivedTcpBytes += 52 * (1 + rng.Uint64N(2))
		}
		if s.ConnectMs == nil || rng.IntN(12) == 0 {
			s.Connects++
			s.Traffic.SentOverheadBytes += 400 + rng.Uint64N(50)
			s.Traffic.ReceivedOverheadBytes += 600 + rng.Uint64N(50)
			s.ResolveMs, s.ConnectMs, s.HandshakeMs = new(20+rng.Uint32N(60)), new(40+rng.Uint32N(60)), new(90+rng.Uint32N(100))
		}
		s.Retransmits = new(uint64(time.Since(begun) / (5 * time.Hour)))
		s.RoundTripUs = new(35_000 + rng.Uint32N(90_000))
		s.SinceAckMs = new(rng.Int64N(8 * 60_000))
		return proto.CloneOf(s)
	}
}

// shopBoard returns a board with everything that a terminal has: a battery, a modem that answers, and an interface.
func shopBoard(ctx context.Context, t *testing.T, dir string) (board *hal.Board, unplug func()) {
	t.Helper()
	wwan := filepath.Join(dir, "class/net/wwan0")
	if err := os.MkdirAll(filepath.Join(wwan, "statistics"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{
		"type": "1", "carrier": "1", "carrier_changes": "3", "device": "", "flags": "0x1003",
		"statistics/rx_bytes": "1", "statistics/tx_bytes": "1", "statistics/rx_errors": "0", "statistics/tx_errors": "0",
		"statistics/rx_dropped": "0", "statistics/tx_dropped": "0",
	} {
		if err := os.WriteFile(filepath.Join(wwan, file), []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answers, err := haltest.ReadTranscript("../testdata/at/quectel-ec25.txtar")
	if err != nil {
		t.Fatal(err)
	}
	modem := haltest.NewModem(answers)
	var serving sync.WaitGroup
	board = hal.Open(hal.Profile{
		SysRoot: dir, SystemBus: hal.NoBus, Modem: "/dev/ttyUSB2",
		Batteries: []hal.Battery{haltest.NewBattery(&wire.Battery{Name: "BAT0", CapacityPercent: new(uint32(71))})},
		OpenModem: func() (at.Stream, error) {
			ours, its := net.Pipe()
			serving.Go(func() { modem.Serve(ctx, its); _ = its.Close() })
			return ours, nil
		},
	})
	return board, func() {
		board.Close()
		serving.Wait()
	}
}

// take keeps a block.
func (d *day) take(events [][]byte) ([]byte, error) {
	var kept [][]byte
	for _, b := range events {
		e := new(wire.Event)
		if err := proto.Unmarshal(b, e); err != nil {
			return nil, err
		}
		d.live(e)
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			return nil, err
		}
		kept = append(kept, b)
	}
	d.blocks = append(d.blocks, kept)
	return nil, nil
}

// live puts what the terminal in the shop reads at the time of an event into it. What it has no readings of stays.
func (d *day) live(e *wire.Event) {
	minutes := int(time.UnixMilli(e.Clock.GetWallUnixMs()).Sub(d.begin) / time.Minute)
	for ; d.rounds < minutes; d.rounds++ {
		d.now = d.shop.Round()
	}
	for _, r := range d.now {
		switch {
		case e.GetBattery() != nil && r.GetBattery() != nil, e.GetHost() != nil && r.GetHost() != nil,
			e.GetAppPerformance() != nil && r.GetAppPerformance() != nil:
			e.Body = r.Body
		case e.GetModem() != nil && r.GetModem() != nil: // the rest of it was told lately
			m, now := e.GetModem(), r.GetModem()
			m.RssiDbm, m.RsrpDecidbm, m.RsrqDecidb, m.SinrDecidb = now.RssiDbm, now.RsrpDecidbm, now.RsrqDecidb, now.SinrDecidb
			m.AreaCode, m.CellId, m.TemperatureDecicelsius = now.AreaCode, now.CellId, now.TemperatureDecicelsius
		case e.GetNetworkInterface() != nil && r.GetHost() != nil: // all of it goes over the one
			i, host := e.GetNetworkInterface(), r.GetHost()
			i.ReceivedBytes, i.SentBytes = host.NetworkReceivedBytes, host.NetworkSentBytes
		}
	}
}

// size returns the bytes of all blocks, packed, without the events that are so.
func (d *day) size(t *testing.T, without func(*wire.Event) bool) (bytes, events int) {
	t.Helper()
	for _, b := range d.blocks {
		var kept [][]byte
		for _, raw := range b {
			e := new(wire.Event)
			if err := proto.Unmarshal(raw, e); err != nil {
				t.Fatal(err)
			}
			if !without(e) {
				kept = append(kept, raw)
			}
		}
		if len(kept) == 0 {
			continue
		}
		packed, err := block.Encode(kept)
		if err != nil {
			t.Fatal(err)
		}
		bytes, events = bytes+len(packed), events+len(kept)
	}
	return bytes, events
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

// discard is a sink that takes everything and keeps nothing.
type discard struct{}

func (discard) AppendTelemetry(pci.Clean) (uint64, error) { return 0, nil }
func (discard) Spill(context.Context) error               { return nil }
