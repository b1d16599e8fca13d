package collect

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestScheduleAfter(t *testing.T) {
	base := time.Unix(1_000_000, 0)
	s := schedule{base: base, every: time.Minute, jitter: 0.5}
	for _, test := range []struct {
		name string
		now  time.Duration // since base
		tick time.Duration // the earliest, since base
	}{
		{"at base", 0, time.Minute},
		{"just before a tick", time.Minute - 1, time.Minute},
		{"at a tick", time.Minute, 2 * time.Minute},
		{"at a late tick", time.Minute + 29*time.Second, 2 * time.Minute},
		{"after missed ticks", 10*time.Minute + time.Second, 11 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			spread := make(map[time.Duration]bool)
			for range 1000 {
				late := s.after(base.Add(test.now)).Sub(base) - test.tick
				if late < 0 || late > 30*time.Second {
					t.Fatalf("%v after the tick, want 0 to half a pause", late)
				}
				spread[late.Truncate(time.Second)] = true
			}
			if len(spread) < 20 {
				t.Errorf("only %d different seconds in 1,000 ticks", len(spread))
			}
		})
	}
}

// A reading that takes long leaves ticks out, and never overlaps the next.
func TestScheduleNoOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute-time.Second)
		defer cancel()
		begin, reading := time.Now(), false
		var starts []time.Duration
		schedule{base: begin, every: 10 * time.Second}.run(ctx, func(context.Context) {
			if reading {
				t.Error("two readings at a time")
			}
			reading = true
			starts = append(starts, time.Since(begin))
			time.Sleep(25 * time.Second)
			reading = false
		})
		for i, start := range starts {
			if want := time.Duration(i) * 30 * time.Second; start != want {
				t.Errorf("reading %d began at %v, want %v", i, start, want)
			}
		}
		if len(starts) != 20 {
			t.Errorf("%d readings, want 20", len(starts))
		}
	})
}

func TestAllowance(t *testing.T) {
	now := time.Unix(0, 0)
	a := allowance{every: time.Minute}
	takes := func(n int) (taken int) {
		for range n {
			if a.take(now) {
				taken++
			}
		}
		return taken
	}
	for _, step := range []struct {
		name string
		wait time.Duration
		want int
	}{
		{"at first", 0, urgentBurst},
		{"at once again", 0, 0},
		{"just before a minute", time.Minute - 1, 0},
		{"a minute", 1, 1},
		{"three minutes", 3 * time.Minute, 3},
		{"a day", 24 * time.Hour, urgentBurst},
	} {
		now = now.Add(step.wait)
		if got := takes(20); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}
