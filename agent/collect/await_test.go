package collect_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// waits returns the longest time from the first event of a block until it came, and between two blocks.
func waits(blocks []taken, c *clocks) (longest, pause time.Duration) {
	for i, b := range blocks {
		if kinds(b.events) == "STARTED" {
			continue
		}
		longest = max(longest, b.at.Sub(c.begin)-boot(b.events[0]))
		pause = max(pause, b.at.Sub(blocks[i-1].at))
	}
	return longest, pause
}

// A reading waits for less than BlockEvery, and for less than UnawaitedEvery when nobody waits for it: that much a power cut
// takes.
func TestCollectorWaits(t *testing.T) {
	for _, test := range []struct {
		name           string
		awaited        bool
		every, offline time.Duration
		blocks         int // in ten hours
		pause          time.Duration
	}{
		{"online", true, 6 * time.Minute, 15 * time.Minute, 100, 6 * time.Minute},
		{"offline", false, 6 * time.Minute, 15 * time.Minute, 40, 15 * time.Minute},
		{"offline, with the shorter pause", false, 6 * time.Minute, 2 * time.Minute, 100, 6 * time.Minute},
		{"not a multiple", true, 150 * time.Second, time.Hour, 200, 3 * time.Minute},
		{"less than a round", true, time.Second, time.Second, 600, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, c := shipped(), newClocks()
				opts.Clock, opts.BlockEvery, opts.UnawaitedEvery = c.clock(), test.every, test.offline
				opts.Awaited = func() bool { return test.awaited }
				b := run(t, opts)
				pass(10*time.Hour - time.Second)
				blocks := b.lane.all()
				b.stop()
				if n := len(blocks); n < test.blocks || n > test.blocks+3 {
					t.Errorf("%d blocks in ten hours, want %d", n, test.blocks)
				}
				longest, pause := waits(blocks, c)
				most := test.every
				if !test.awaited {
					most = max(most, test.offline)
				}
				if longest >= most {
					t.Errorf("a reading waited for %v, want less than %v", longest, most)
				}
				if pause > test.pause+6*time.Second || pause < test.pause-6*time.Second {
					t.Errorf("up to %v between two blocks, want %v", pause, test.pause)
				}
			})
		})
	}
}

// What was held while nobody waited is handed over soon after somebody does.
func TestCollectorAwaitedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := shipped()
		opts.UnawaitedEvery = 24 * time.Hour
		var awaited atomic.Bool
		awaited.Store(true)
		opts.Awaited = awaited.Load
		b := run(t, opts)
		pass(30 * time.Minute)
		awaited.Store(false)
		pass(10 * time.Minute)
		before := len(b.lane.all())
		pass(2 * time.Hour)
		if n := len(b.lane.all()); n != before {
			t.Errorf("%d more blocks while nobody waits", n-before)
		}
		awaited.Store(true)
		pass(soon)
		blocks := b.lane.all()
		if len(blocks) != before+1 || len(blocks[before].events) < 240 {
			t.Fatalf("%d more blocks when somebody waits again, want one with two hours of readings", len(blocks)-before)
		}
		pass(time.Hour)
		if n := len(b.lane.all()) - len(blocks); n < 9 || n > 11 {
			t.Errorf("%d blocks in the hour after that, want about 10", n)
		}
		b.stop()
	})
}

// A battery that runs down shortens the time that readings wait offline.
func TestCollectorUnawaitedAndLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := shipped()
		opts.SpillBelowPercent, opts.UnawaitedEvery = 10, 24*time.Hour
		opts.Awaited = func() bool { return false }
		b := run(t, opts)
		pass(time.Hour)
		before := len(b.lane.all())
		b.battery.Set(charged(discharging, 9))
		pass(time.Hour)
		if n := len(b.lane.all()) - before; n < 10 || n > 12 {
			t.Errorf("%d blocks in an hour, want one at once and one each six minutes", n)
		}
		b.stop()
	})
}
