package uplink_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// wrongClock is the clock of a terminal that has been up for an hour, with a wall clock of its own.
func wrongClock(wall time.Time) *hal.Clock {
	start := time.Now()
	return hal.NewClockOf(hal.ClockSources{
		BootID:       bytes.Repeat([]byte{7}, 16),
		Wall:         func() time.Time { return wall.Add(time.Since(start)) },
		SinceBoot:    func() (time.Duration, bool) { return time.Hour + time.Since(start), true },
		Synchronised: func() bool { return false },
	})
}

// What a backend says of the time is believed as far as its own certificate allows, and never sets the wall clock.
func TestServerTime(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	right, unset := wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK, wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	rtc := wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
	for _, test := range []struct {
		name     string
		wall     time.Time
		off      time.Duration // of what the backend says, from the right time
		believed bool
		want     wire.ClockConfidence
	}{
		{"right, to a right clock", now, 0, true, right},
		{"right, to a clock in 1970", time.Unix(0, 0), 0, true, unset},
		{"right, to a clock in 2038", time.Unix(1<<31-1, 0), 0, true, rtc},
		{"right, to a clock two hours back", now.Add(-2 * time.Hour), 0, true, rtc},
		{"a month ahead", now, 30 * day, true, rtc},
		{"1970", now, -now.Sub(time.Unix(0, 0)), false, rtc},
		{"1970, to a clock in 1970", time.Unix(0, 0), -now.Sub(time.Unix(0, 0)), false, unset},
		{"2100", now, 74 * 365 * day, false, rtc},
		{"before its certificate began", now, -day, false, rtc},
		{"after its certificate ended", now, 91 * day, false, rtc},
		{"and the clock says the same", now.Add(91 * day), 91 * day, false, rtc},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := wrongClock(test.wall)
			b := newBench(t, serveScript(t, func(l link) error {
				m, err := l.Recv()
				if err != nil {
					return err
				}
				w := &wire.Welcome{ServerUnixMs: time.Now().Add(test.off).UnixMilli()}
				for range m.GetHello().GetLanes() {
					w.Watermarks = append(w.Watermarks, &wire.Watermark{})
				}
				if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
					return err
				}
				<-l.Context().Done()
				return nil
			}), func(o *uplink.Options) { o.Clock = clock })
			b.run()
			eventually(t, "the welcome", b.client.Online)
			told, within, believed := clock.ServerTime()
			if believed != test.believed {
				t.Errorf("believed: %v, want %v", believed, test.believed)
			}
			if off := time.Until(told) - test.off; believed && off.Abs() > within {
				t.Errorf("the backend's time is kept %v off, ± %v", off, within)
			}
			if got := clock.Now(); got.Confidence != test.want || (time.UnixMilli(got.GetWallUnixMs()).Sub(test.wall)).Abs() > time.Minute {
				t.Errorf("the clock shows %v, want it as it was, and %v", got, test.want)
			}
		})
	}
}

// The backend is told what the clocks show, in few bytes, and once in each stream how long the Welcome took.
func TestHelloTellsTheClocks(t *testing.T) {
	var greeting atomic.Pointer[wire.Hello]
	var took, times, batches atomic.Int64
	const slow = 50 * time.Millisecond
	b := newBench(t, serveScript(t, func(l link) error {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		greeting.Store(m.GetHello())
		time.Sleep(slow)
		w := &wire.Welcome{ServerUnixMs: time.Now().UnixMilli()}
		for range m.GetHello().GetLanes() {
			w.Watermarks = append(w.Watermarks, &wire.Watermark{})
		}
		if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
			return err
		}
		var c chain
		for {
			if m, err = l.Recv(); err != nil {
				return err
			}
			batch := m.GetBatch()
			if batch.RoundTripMs != nil {
				took.Store(int64(batch.GetRoundTripMs()))
				times.Add(1)
			}
			batches.Add(1)
			last := batch.GetFirstSeq() + uint64(len(batch.GetRecords())) - 1
			if err := sendAck(l, &wire.Ack{LaneIndex: batch.GetLaneIndex(), Through: last, Chain: c.take(batch.GetFirstSeq(), batch.GetRecords())}); err != nil {
				return err
			}
		}
	}), func(o *uplink.Options) { o.Clock, o.BatchBytes = wrongClock(time.Unix(1<<31, 0)), 1 })
	b.add(3)
	b.run()
	flushed(t, b)
	h := greeting.Load()
	c := h.GetClock()
	if !bytes.Equal(h.GetBootId(), bytes.Repeat([]byte{7}, 16)) || c.BootId != nil || c.GetBootMs() < 3600_000 || c.GetBootMs() > 3700_000 || c.GetWallUnixMs() < 1<<31*1000 {
		t.Errorf("Hello told %v", h)
	}
	without := proto.CloneOf(h)
	without.Clock = nil
	if n := proto.Size(h) - proto.Size(without); n > 20 {
		t.Errorf("the clocks take %d bytes, want at most 20", n)
	}
	if took.Load() < slow.Milliseconds() || times.Load() != 1 || batches.Load() != 3 {
		t.Errorf("the Welcome took %d ms by %d of %d batches, want one to tell, and at least %v", took.Load(), times.Load(), batches.Load(), slow)
	}
}
