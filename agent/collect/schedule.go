package collect

import (
	"context"
	"math/rand/v2"
	"time"
)

// schedule is when to read: every multiple of a pause since base, and a random part of the pause later. Ticks that are
// missed, because a reading took long or the machine slept, are left out and never made up for.
type schedule struct {
	base   time.Time
	every  time.Duration
	jitter float64 // 0 to 0.5
}

// with returns the schedule on the same raster with another pause.
func (s schedule) with(every time.Duration) schedule {
	s.every = every
	return s
}

// after returns the next tick, later than now. now must not be before base.
func (s schedule) after(now time.Time) time.Time {
	ticks := now.Sub(s.base)/s.every + 1
	late := time.Duration(rand.Float64() * s.jitter * float64(s.every))
	return s.base.Add(ticks*s.every + late)
}

// run reads now and at every tick until ctx ends, one reading after the other.
func (s schedule) run(ctx context.Context, read func(context.Context)) {
	for {
		read(ctx)
		tick := time.NewTimer(time.Until(s.after(time.Now())))
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// urgentBurst is how many changes in a row are told at once.
const urgentBurst = 6

// allowance limits what is told out of turn: a burst, and after that one for each pause. A loose plug must not cost a
// cellular bill.
type allowance struct {
	every time.Duration
	full  time.Time // when the whole burst is allowed again
}

// take uses up one, or returns false when there is none left.
func (a *allowance) take(now time.Time) bool {
	full := a.full
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (urgentBurst-1)*a.every {
		return false
	}
	a.full = full.Add(a.every)
	return true
}
