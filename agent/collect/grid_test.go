package collect

import (
	"testing"
	"time"
)

var gridBase = time.Unix(1_000_000, 0)

func TestGridAfter(t *testing.T) {
	for _, test := range []struct {
		name   string
		pauses []time.Duration
		now    time.Duration // since base
		want   time.Duration
	}{
		{"at base", []time.Duration{time.Minute}, 0, time.Minute},
		{"just before a tick", []time.Duration{time.Minute}, time.Minute - 1, time.Minute},
		{"at a tick", []time.Duration{time.Minute}, time.Minute, 2 * time.Minute},
		{"after missed ticks", []time.Duration{time.Minute}, 10*time.Minute + time.Second, 11 * time.Minute},
		{"in common", []time.Duration{time.Minute, 5 * time.Minute}, 4*time.Minute + time.Second, 5 * time.Minute},
		{"the sooner of two", []time.Duration{5 * time.Minute, 3 * time.Minute}, 3 * time.Minute, 5 * time.Minute},
		{"the other of two", []time.Duration{5 * time.Minute, 3 * time.Minute}, 5 * time.Minute, 6 * time.Minute},
		{"never and often", []time.Duration{100 * 365 * 24 * time.Hour, time.Second}, time.Hour, time.Hour + time.Second},
		{"never", []time.Duration{100 * 365 * 24 * time.Hour}, 99 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := grid{base: gridBase, pauses: test.pauses}
			if got := g.after(gridBase.Add(test.now)).Sub(gridBase); got != test.want {
				t.Errorf("the next tick is at %v, want %v", got, test.want)
			}
		})
	}
}

// Rounds are late by anything up to their share of the time until the next tick, and never past it.
func TestGridLate(t *testing.T) {
	for _, test := range []struct {
		name   string
		pauses []time.Duration
		jitter float64
		tick   time.Duration
		most   time.Duration
	}{
		{"none", []time.Duration{time.Minute}, 0, time.Minute, 0},
		{"a tenth", []time.Duration{time.Minute, 5 * time.Minute}, 0.1, 5 * time.Minute, 6 * time.Second},
		{"half", []time.Duration{time.Minute}, 0.5, time.Minute, 30 * time.Second},
		{"half, and the next is near", []time.Duration{60 * time.Second, 90 * time.Second}, 0.5, time.Minute, 15 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := grid{base: gridBase, pauses: test.pauses, jitter: test.jitter}
			var least, most time.Duration = time.Hour, 0
			for range 1000 {
				late := g.late(gridBase.Add(test.tick))
				least, most = min(least, late), max(most, late)
			}
			if least < 0 || most > test.most {
				t.Errorf("late by %v to %v, want 0 to %v", least, most, test.most)
			}
			if most < test.most*9/10 || least > test.most/10 {
				t.Errorf("late by %v to %v in 1,000 rounds, want nearly 0 to %v", least, most, test.most)
			}
		})
	}
}

func TestGridCame(t *testing.T) {
	g := grid{base: gridBase, pauses: []time.Duration{time.Minute, 5 * time.Minute}}
	for _, test := range []struct {
		name         string
		pause        time.Duration
		after, until time.Duration // since base
		want         bool
	}{
		{"each tick", time.Minute, 3 * time.Minute, 4 * time.Minute, true},
		{"not yet", 5 * time.Minute, 3 * time.Minute, 4 * time.Minute, false},
		{"every fifth", 5 * time.Minute, 4 * time.Minute, 5 * time.Minute, true},
		{"once", 5 * time.Minute, 5 * time.Minute, 6 * time.Minute, false},
		{"in between, which was missed", 5 * time.Minute, 4 * time.Minute, 7 * time.Minute, true},
		{"not missed", 5 * time.Minute, 5 * time.Minute, 9 * time.Minute, false},
		{"from between two ticks", time.Minute, 4*time.Minute - 1, 4 * time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := g.came(test.pause, gridBase.Add(test.after), gridBase.Add(test.until)); got != test.want {
				t.Errorf("came due: %v, want %v", got, test.want)
			}
		})
	}
}
