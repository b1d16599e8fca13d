package uplink

import (
	"math/rand/v2"
	"time"
)

// backoff spaces attempts with full jitter: each wait is random between zero and a bound that doubles with every
// failure. Whole fleets lose the backend at the same moment, and must not come back at the same moment.
type backoff struct {
	min, max time.Duration
	failures int
}

// next returns how long to wait before the next attempt.
func (b *backoff) next() time.Duration {
	bound := b.max
	if shift := b.failures; shift < 30 {
		bound = min(b.max, b.min<<shift)
	}
	b.failures++
	return rand.N(max(bound, 1))
}

func (b *backoff) reset() { b.failures = 0 }
