package collect

import (
	"math/rand/v2"
	"time"
)

// grid is when the terminal is read: each part at every multiple of its pause since base. Parts whose pauses are multiples
// of each other have their ticks in common.
type grid struct {
	base   time.Time
	pauses []time.Duration
	jitter float64 // 0 to 0.5
}

// after returns the next tick of any part, later than t. t must not be before base.
func (g *grid) after(t time.Time) time.Time {
	var next time.Time
	for _, pause := range g.pauses {
		tick := g.base.Add((t.Sub(g.base)/pause + 1) * pause)
		if next.IsZero() || tick.Before(next) {
			next = tick
		}
	}
	return next
}

// late draws how long after a tick its round begins: a random part of the time until the next one. So a round moves as a
// whole, and never past another.
func (g *grid) late(tick time.Time) time.Duration {
	return time.Duration(rand.Float64() * g.jitter * float64(g.after(tick).Sub(tick)))
}

// came reports whether a part with that pause came due after one time and no later than another.
func (g *grid) came(pause time.Duration, after, until time.Time) bool {
	return until.Sub(g.base)/pause > after.Sub(g.base)/pause
}
