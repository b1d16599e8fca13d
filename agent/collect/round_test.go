package collect_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// shipped is a collector with the schedules that the agent is shipped with.
func shipped() collect.Options {
	return collect.Options{
		BatteryEvery: time.Minute, HostEvery: time.Minute, AppEvery: 5 * time.Minute, Jitter: 0.1,
		BlockEvery: 6 * time.Minute, UnawaitedEvery: 15 * time.Minute,
	}
}

// clocks is the clocks of a terminal that was started with the bubble. The wall clock can be set, and the time that the
// terminal was asleep is in the clock since boot.
type clocks struct {
	wallOff, asleep atomic.Int64
	begin           time.Time
}

func newClocks() *clocks { return &clocks{begin: time.Now()} }

func (c *clocks) clock() *hal.Clock {
	return hal.NewClockOf(hal.ClockSources{
		BootID:       []byte("0123456789abcdef"),
		Wall:         func() time.Time { return time.Now().Add(time.Duration(c.wallOff.Load() + c.asleep.Load())) },
		SinceBoot:    func() (time.Duration, bool) { return time.Since(c.begin) + time.Duration(c.asleep.Load()), true },
		Synchronised: func() bool { return true },
	})
}

// slowBattery is a battery that answers in the end.
type slowBattery struct {
	*haltest.Battery
	takes  atomic.Int64
	asleep *clocks // what else passes while it is read, by the clock since boot
	sleeps time.Duration
}

func (b *slowBattery) Read(ctx context.Context) (*wire.Battery, error) {
	select {
	case <-time.After(time.Duration(b.takes.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b.asleep != nil {
		b.asleep.asleep.Add(int64(b.sleeps))
	}
	return b.Battery.Read(ctx)
}

// rounds puts events with the same clock together.
func rounds(events []*wire.Event) (rounds [][]*wire.Event) {
	for i, e := range events {
		if i == 0 || !proto.Equal(e.GetClock(), events[i-1].GetClock()) {
			rounds = append(rounds, nil)
		}
		rounds[len(rounds)-1] = append(rounds[len(rounds)-1], e)
	}
	return rounds
}

func boot(e *wire.Event) time.Duration {
	return time.Duration(e.GetClock().GetBootMs()) * time.Millisecond
}

// All day, what is due together is read together and has one time, on a grid that does not drift, with whole rounds late by
// no more than their jitter. Nothing of it changes when somebody sets the wall clock at noon.
func TestCollectorRounds(t *testing.T) {
	for _, test := range []struct {
		name string
		step time.Duration
	}{{"a day", 0}, {"set back by two hours", -2 * time.Hour}, {"set ahead by years", 5 * 365 * 24 * time.Hour}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, c := shipped(), newClocks()
				opts.Clock = c.clock()
				b := run(t, opts)
				pass(12 * time.Hour)
				c.wallOff.Store(int64(test.step))
				pass(12*time.Hour - time.Second)
				b.stop()
				all := rounds(b.lane.events())
				all = all[1 : len(all)-1] // without the first, which is not on the grid, and the stop
				if n := len(all); n < 1439 || n > 1440 {
					t.Fatalf("%d rounds in a day, want one a minute", n)
				}
				earliest := 24 * time.Hour
				for i, round := range all {
					earliest = min(earliest, boot(round[0])-time.Duration(i)*time.Minute)
				}
				spread := make(map[time.Duration]bool)
				full := 0
				for i, round := range all {
					late := boot(round[0]) - time.Duration(i)*time.Minute - earliest
					if late < 0 || late > 6*time.Second {
						t.Errorf("round %d is %v off the grid, want 0 to 6 s", i, late)
					}
					spread[late.Truncate(100*time.Millisecond)] = true
					switch k := kinds(round); {
					case k == "host app battery":
						full++
						if i >= 5 && kinds(all[i-5]) != k {
							t.Errorf("round %d has everything, and the fifth before it has %q", i, kinds(all[i-5]))
						}
					case k != "host battery":
						t.Fatalf("round %d is %q", i, k)
					}
				}
				if full < 287 || full > 288 || len(spread) < 50 {
					t.Errorf("%d rounds have everything, want every fifth; they are late by %d different tenths of a second", full, len(spread))
				}
				off := all[1400][0].GetClock().GetWallUnixMs() - all[100][0].GetClock().GetWallUnixMs() - (boot(all[1400][0]) - boot(all[100][0])).Milliseconds()
				if want := test.step.Milliseconds(); off != want {
					t.Errorf("the wall clock moved by %d ms, want it as read: %d", off, want)
				}
			})
		})
	}
}

// A part that takes long has a time of its own, and so have those that are read after it: no time is false by more than a
// second.
func TestCollectorSlowPart(t *testing.T) {
	for _, test := range []struct {
		name   string
		takes  time.Duration
		sleeps time.Duration
		rounds []string
	}{
		{"at once", 0, 0, []string{"host app battery battery"}},
		{"just in time", time.Second, 0, []string{"host app battery battery"}},
		{"late", time.Second + time.Millisecond, 0, []string{"host app", "battery battery"}},
		{"asleep meanwhile", time.Millisecond, time.Hour, []string{"host app", "battery battery"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, c := quiet(), newClocks()
				opts.Clock = c.clock()
				slow := &slowBattery{Battery: haltest.NewBattery(reading(discharging, false))}
				other := reading(discharging, false)
				other.Name = "BAT1"
				opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{slow, haltest.NewBattery(other)}})
				slow.takes.Store(int64(test.takes))
				if test.sleeps > 0 {
					slow.asleep, slow.sleeps = c, test.sleeps
				}
				begin := boot(&wire.Event{Clock: opts.Clock.Now()})
				b := run(t, opts)
				pass(2 * time.Second)
				b.stop()
				got := rounds(b.lane.all()[1].events)
				if len(got) != len(test.rounds) {
					t.Fatalf("%d times in a round, want %q", len(got), test.rounds)
				}
				for i, want := range test.rounds {
					if k := kinds(got[i]); k != want {
						t.Errorf("%q have time %d, want %q", k, i, want)
					}
				}
				if first := boot(got[0][0]) - begin; first != 0 {
					t.Errorf("the round has the time %v after its start", first)
				}
				if own := boot(got[len(got)-1][0]) - begin; len(got) > 1 && own != (test.takes+test.sleeps).Truncate(time.Millisecond) {
					t.Errorf("the slow part has the time %v after the start, want %v", own, test.takes+test.sleeps)
				}
			})
		})
	}
}

// What came due while a part took long is read once afterwards, and the grid stays where it was.
func TestCollectorMissedTicks(t *testing.T) {
	for range 8 { // the grid begins anywhere
		synctest.Test(t, func(t *testing.T) {
			opts, c := shipped(), newClocks()
			opts.Clock, opts.Jitter = c.clock(), 0
			slow := &slowBattery{Battery: haltest.NewBattery(reading(discharging, false))}
			opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{slow}})
			b := run(t, opts)
			pass(30 * time.Minute)
			slow.takes.Store(int64(12 * time.Minute))
			pass(soon)
			slow.takes.Store(0)
			slowUntil := time.Since(c.begin) + 12*time.Minute - soon
			pass(30 * time.Minute)
			b.stop()
			var hosts, apps []time.Duration
			for _, e := range b.lane.events() {
				switch {
				case isHost(e):
					hosts = append(hosts, boot(e))
				case isApp(e):
					apps = append(apps, boot(e))
				}
			}
			off := 0
			for _, at := range hosts[1:] {
				if at%time.Minute != hosts[1]%time.Minute {
					off++
				}
			}
			if n := len(hosts); n < 48 || n > 51 || off > 1 {
				t.Errorf("%d rounds, %d of them off the grid; want 49 or so, and none off but the one that could not begin in time", n, off)
			}
			phase := apps[1] % (5 * time.Minute)
			later := slices.DeleteFunc(apps, func(at time.Duration) bool { return at < slowUntil })
			made := slices.DeleteFunc(slices.Clone(later), func(at time.Duration) bool { return at%(5*time.Minute) == phase })
			if later[0] > slowUntil+time.Minute+soon || len(made) > 1 || len(later)-len(made) < 3 {
				t.Errorf("the agent is read at %v, and could be at %v; want what was missed made up for at once, and once", later, slowUntil)
			}
		})
	}
}

// A change between two rounds has the time at which it was seen.
func TestCollectorChangeHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, c := shipped(), newClocks()
		opts.Clock, opts.Jitter = c.clock(), 0
		b := run(t, opts)
		pass(10 * time.Minute)
		for since := time.Duration(0); since < 20*time.Second || since > 40*time.Second; {
			pass(time.Second)
			b.Flush()
			events := b.lane.events()
			since = time.Since(c.begin) - boot(events[len(events)-1])
		}
		changed := time.Since(c.begin)
		b.battery.Set(reading(charging, true))
		pass(soon)
		events := b.lane.events()
		last := events[len(events)-1]
		if !isBattery(last) || last.GetBattery().GetStatus() != charging {
			t.Fatalf("the last event is %v", last)
		}
		if at := boot(last); at < changed || at > changed+soon {
			t.Errorf("the change has the time %v, and came at %v", at, changed)
		}
		if got := rounds(events); len(got[len(got)-1]) != 1 {
			t.Errorf("the change has the time of %q", kinds(got[len(got)-1]))
		}
		b.stop()
	})
}
