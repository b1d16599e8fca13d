package collect_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// adaptive is a collector that reads slower and faster, with the agent's defaults.
func adaptive() collect.Options {
	opts := shipped()
	opts.SlowBelowPercent, opts.FastFor = 20, 15*time.Minute
	return opts
}

// heated is a battery in use with that temperature.
func heated(decicelsius int32) *wire.Battery {
	r := charged(discharging, 71)
	r.TemperatureDecicelsius = &decicelsius
	return r
}

// within returns how many events of a span, since the terminal's start, are so.
func within(events []*wire.Event, from, to time.Duration, so func(*wire.Event) bool) (n int) {
	for _, e := range events {
		if at := boot(e); so(e) && at >= from && at < to {
			n++
		}
	}
	return n
}

// near reports whether a count is what it should be, but for one at each end.
func near(got, want int) bool { return got >= want-1 && got <= want+1 }

// For hours with a low battery everything is read a quarter as often. What is to be told at once still is, and with the
// charger everything is as it was.
func TestAdaptiveSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, c := adaptive(), newClocks()
		opts.Clock = c.clock()
		b := run(t, opts)
		b.battery.Set(charged(discharging, 21))
		pass(8 * time.Hour)
		b.battery.Set(charged(discharging, 20))
		pass(8 * time.Hour)
		b.battery.Set(charged(charging, 20))
		pass(soon)
		blocks := b.lane.all()
		last := blocks[len(blocks)-1].events
		if e := last[len(last)-1]; e.GetBattery().GetStatus() != charging {
			t.Errorf("the charger was not told of at once: the last event is %v", e)
		}
		pass(8 * time.Hour)
		b.stop()
		events := b.lane.events()
		for _, span := range []struct {
			name        string
			from        time.Duration
			hosts, apps int
		}{{"fine", time.Hour, 420, 84}, {"low", 9 * time.Hour, 105, 21}, {"charging", 17 * time.Hour, 420, 84}} {
			hosts, apps := within(events, span.from, span.from+7*time.Hour, isHost), within(events, span.from, span.from+7*time.Hour, isApp)
			if !near(hosts, span.hosts) || !near(apps, span.apps) {
				t.Errorf("%s: %d readings of the host and %d of the agent in 7 hours, want %d and %d", span.name, hosts, apps, span.hosts, span.apps)
			}
		}
		for _, round := range rounds(events)[1:] {
			if len(round) > 1 && kinds(round) != "host battery" && kinds(round) != "host app battery" {
				t.Errorf("%q are read together, want what is due in common", kinds(round))
			}
		}
	})
}

// A battery that is hot is told of, and is read four times as often for a while; then it is as usual, though it stays hot.
// Never at the same time as another round, though reading it takes longer than the pause.
func TestAdaptiveFast(t *testing.T) {
	for _, test := range []struct {
		name          string
		takes         time.Duration
		fast, minutes int // readings in 14 minutes
	}{{"at once", 0, 56, 14}, {"slowly", 20 * time.Second, 21, 14}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, c := adaptive(), newClocks()
				opts.Clock, opts.Jitter = c.clock(), 0
				battery := &oneAtATime{slowBattery: slowBattery{Battery: haltest.NewBattery(heated(300))}, t: t}
				opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{battery}})
				b := run(t, opts)
				pass(time.Hour)
				battery.takes.Store(int64(test.takes))
				battery.Set(heated(600))
				before := len(b.lane.all())
				pass(2 * soon)
				if told := b.lane.all()[before:]; test.takes == 0 && (len(told) == 0 || within(told[0].events, time.Hour, 2*time.Hour, isBattery) == 0) {
					t.Error("the heat was not told at once")
				}
				pass(2*time.Hour - 2*soon)
				b.stop()
				events := b.lane.events()
				fast := within(events, time.Hour+time.Minute, time.Hour+15*time.Minute, isBattery)
				usual := within(events, 2*time.Hour, 2*time.Hour+14*time.Minute, isBattery)
				if fast < test.fast-4 || fast > test.fast+15 || !near(usual, test.minutes) {
					t.Errorf("%d readings in 14 minutes, and %d later; want some %d, and %d", fast, usual, test.fast, test.minutes)
				}
			})
		})
	}
}

// oneAtATime is a battery that must not be read twice at a time.
type oneAtATime struct {
	slowBattery
	t       *testing.T
	reading atomic.Bool
}

func (b *oneAtATime) Read(ctx context.Context) (*wire.Battery, error) {
	if b.reading.Swap(true) {
		b.t.Error("two rounds read at the same time")
	}
	defer b.reading.Store(false)
	return b.slowBattery.Read(ctx)
}

// A link that comes and goes for days adds no more than a fifth to what is recorded, and so does one that stays away.
func TestAdaptiveOffline(t *testing.T) {
	for _, test := range []struct {
		name     string
		off, on  time.Duration
		readings int // more than usual
	}{
		{"online", 0, time.Minute, 0},
		{"offline for good", time.Minute, 0, 45},
		{"for moments", 4 * time.Minute, time.Minute, 0},
		{"all the time", 10 * time.Minute, 10 * time.Second, 24 * 45},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys := t.TempDir()
			if err := os.MkdirAll(filepath.Join(sys, "class/net/eth0/device"), 0o700); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				opts := adaptive()
				opts.HostEvery, opts.AppEvery, opts.BatteryEvery, opts.NetworkEvery = never, never, never, time.Minute
				opts.Board = hal.Open(hal.Profile{SysRoot: sys})
				begin := time.Now()
				opts.Online = func() bool { return time.Since(begin)%(test.off+test.on) >= test.off }
				opts.Awaited = opts.Online
				b := run(t, opts)
				pass(3 * 24 * time.Hour)
				b.stop()
				const usual = 3 * 24 * 60
				read := count(b.lane.events(), func(e *wire.Event) bool { return e.GetNetworkInterface() != nil })
				if more := read - usual; more < test.readings/2-2 || more > test.readings+2 {
					t.Errorf("%d readings more than usual in three days, want no more than %d", more, test.readings)
				}
			})
		})
	}
}
