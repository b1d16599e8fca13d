package uplink_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// shop is a backend whose clock a test sets, and which counts what it gets.
type shop struct {
	now               atomic.Pointer[time.Time] // when nil, the backend does not know the time
	ledger, telemetry atomic.Int64              // records
	hangUp            atomic.Bool               // ends the stream at its next batch
}

func (s *shop) script(l link) error {
	m, err := l.Recv()
	if err != nil {
		return err
	}
	lanes := m.GetHello().GetLanes()
	w := &wire.Welcome{}
	if now := s.now.Load(); now != nil {
		w.ServerUnixMs = now.UnixMilli()
	}
	for range lanes {
		w.Watermarks = append(w.Watermarks, &wire.Watermark{})
	}
	if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
		return err
	}
	for {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		if s.hangUp.Swap(false) {
			return status.Error(codes.Unavailable, "come back later")
		}
		b := m.GetBatch()
		if lanes[b.GetLaneIndex()].GetLane() == wire.Lane_LANE_LEDGER {
			s.ledger.Add(int64(len(b.GetRecords())))
		} else {
			s.telemetry.Add(int64(len(b.GetRecords())))
		}
		last := b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1
		if err := sendAck(l, &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: last, Chain: b.GetChain()}); err != nil {
			return err
		}
	}
}

// addReadings appends n blocks of telemetry of about size bytes.
func (b *bench) addReadings(n, size int) {
	b.t.Helper()
	for range n {
		c, err := pci.NewGuard(nil).Check(&wire.TelemetryBlock{Events: [][]byte{make([]byte, size)}})
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := b.queue.AppendTelemetry(c); err != nil {
			b.t.Fatal(err)
		}
	}
}

// tomorrow is a time of tomorrow's, in UTC: the backend's certificate is valid then.
func tomorrow(hour, minute int) *time.Time {
	y, m, d := time.Now().UTC().Add(24 * time.Hour).Date()
	return new(time.Date(y, m, d, hour, minute, 0, 0, time.UTC))
}

// clockAt returns a terminal's clock that shows a time, and goes on from there. One of 1970 was never set.
func clockAt(t time.Time) *hal.Clock {
	begun := time.Now()
	return hal.NewClockOf(hal.ClockSources{
		Wall:         func() time.Time { return t.Add(time.Since(begun)) },
		SinceBoot:    func() (time.Duration, bool) { return time.Since(begun) + time.Hour, true },
		Synchronised: func() bool { return false },
	})
}

func window(t *testing.T, text string) uplink.Window {
	t.Helper()
	w, err := uplink.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTelemetryWaitsForItsWindowAndTheLedgerDoesNot(t *testing.T) {
	var s shop
	s.now.Store(tomorrow(1, 0))
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) {
		o.TelemetryWindow, o.Zone = window(t, "02:00-05:00"), time.UTC
	})
	b.add(5)
	b.addReadings(3, 100)
	b.run()
	eventually(t, "the ledger to arrive", func() bool { return s.ledger.Load() == 5 })
	b.add(1)
	eventually(t, "the ledger to go on", func() bool { return s.ledger.Load() == 6 })

	st := b.client.Status()
	if st.GetHold() != wire.TelemetryHold_TELEMETRY_HOLD_WINDOW || (time.Hour-time.Duration(st.GetHeldForMs())*time.Millisecond).Abs() > time.Minute {
		t.Errorf("it is held by %v for %v ms", st.GetHold(), st.GetHeldForMs())
	}
	if n := s.telemetry.Load(); n != 0 {
		t.Errorf("%d blocks went all the same", n)
	}
	// Nobody waits for what can't go: the flush at a stop, say.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if waiting, complete := b.client.Flush(ctx); waiting != 3 || complete || ctx.Err() != nil {
		t.Errorf("flush says that %d are waiting, complete %v, %v", waiting, complete, ctx.Err())
	}
	if n := b.client.Status().GetConnects(); n != 1 {
		t.Errorf("it connected %d times", n)
	}
}

func TestTelemetryGoesWhenItsWindowOpens(t *testing.T) {
	var s shop
	s.now.Store(new(tomorrow(2, 0).Add(-300 * time.Millisecond)))
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) {
		o.TelemetryWindow, o.Zone = window(t, "02:00-05:00"), time.UTC
	})
	b.addReadings(3, 100)
	b.run()
	eventually(t, "the terminal to be online", b.client.Online)
	if hold := b.client.Status().GetHold(); hold != wire.TelemetryHold_TELEMETRY_HOLD_WINDOW {
		t.Errorf("before, it is held by %v", hold)
	}
	eventually(t, "the telemetry to arrive", func() bool { return s.telemetry.Load() == 3 })
	if hold := b.client.Status().GetHold(); hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		t.Errorf("after, it is held by %v", hold)
	}
}

// A terminal whose own clock was never set goes by the backend's.
func TestWindowByTheBackendsClock(t *testing.T) {
	var s shop
	s.now.Store(tomorrow(12, 0))
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) {
		o.TelemetryWindow, o.Zone, o.Clock = window(t, "02:00-05:00"), time.UTC, clockAt(time.Unix(0, 0))
	})
	b.addReadings(3, 100)
	b.add(1)
	b.run()
	eventually(t, "the ledger to arrive", func() bool { return s.ledger.Load() == 1 })
	eventually(t, "the telemetry to be held", func() bool { return b.client.Status().GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_WINDOW })
	if n := s.telemetry.Load(); n != 0 {
		t.Errorf("%d blocks went", n)
	}
}

// Nobody knows what time it is: the readings are not kept for ever, but the day's limit holds.
func TestWithoutAnyClockTelemetryIsNotHeldForEver(t *testing.T) {
	var s shop
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) {
		o.TelemetryWindow, o.Zone, o.Clock = window(t, "02:00-05:00"), time.UTC, clockAt(time.Unix(0, 0))
		o.TelemetryPerDay = 64 << 10
	})
	b.addReadings(100, 4000)
	b.run()
	eventually(t, "the limit to hold", func() bool { return b.client.Status().GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_LIMIT })
	eventually(t, "as much to arrive as may", func() bool { return s.telemetry.Load() >= 10 })
	if n := s.telemetry.Load(); n > 16 {
		t.Errorf("%d blocks of 4 kB went for 64 KiB", n)
	}
	if held := time.Duration(b.client.Status().GetHeldForMs()) * time.Millisecond; held <= 0 || held > 24*time.Hour {
		t.Errorf("it is held for %v", held)
	}
}

func TestLimitOfADay(t *testing.T) {
	var s shop
	s.now.Store(tomorrow(22, 0))
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) { o.TelemetryPerDay, o.Zone = 64<<10, time.UTC })
	b.addReadings(100, 4000)
	b.run()
	eventually(t, "the limit to hold", func() bool { return b.client.Status().GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_LIMIT })
	st := b.client.Status()
	if n := st.GetTelemetryBytesToday(); n < 40<<10 || n > 64<<10 {
		t.Errorf("%d bytes are counted of 64 KiB", n)
	}
	if sent := st.GetSentBytes(); sent > 70<<10 {
		t.Errorf("%d bytes were sent in all", sent)
	}
	if held := time.Duration(st.GetHeldForMs()) * time.Millisecond; (held - 2*time.Hour).Abs() > time.Minute {
		t.Errorf("it is held for %v at 22:00", held)
	}
	first := s.telemetry.Load()
	b.add(50)
	eventually(t, "the ledger to arrive all the same", func() bool { return s.ledger.Load() == 50 })

	// The next day has a new allowance.
	s.now.Store(new(tomorrow(0, 0).Add(24*time.Hour + time.Minute)))
	s.hangUp.Store(true)
	b.add(1)
	eventually(t, "more to arrive", func() bool { return s.telemetry.Load() > first })
}

// A single block that is larger than a day's worth goes as the first of a day, rather than never.
func TestBlockLargerThanADay(t *testing.T) {
	var s shop
	s.now.Store(tomorrow(12, 0))
	b := newBench(t, serveScript(t, s.script), func(o *uplink.Options) { o.TelemetryPerDay = 64 << 10 })
	b.addReadings(2, 100_000)
	b.run()
	eventually(t, "the first block to arrive", func() bool { return s.telemetry.Load() == 1 })
	eventually(t, "the second to be held", func() bool { return b.client.Status().GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_LIMIT })
}
