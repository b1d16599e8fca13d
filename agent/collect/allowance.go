package collect

import "time"

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
