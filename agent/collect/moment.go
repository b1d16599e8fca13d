package collect

import (
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// momentary is how long after a reading of the clocks a part may have been read to be given that reading.
const momentary = time.Second

// moment is one reading of the clocks, for all that is read at that time.
type moment struct {
	clock *wire.Clock
	taken time.Time
	boot  time.Duration
	known bool // boot is
}

func takeMoment(c *hal.Clock) *moment {
	m := &moment{clock: c.Now(), taken: time.Now()}
	m.boot, m.known = c.SinceBoot()
	return m
}

// stamp returns the clock for what has just been read: the moment's while it lasts, else another one, with which a new
// moment begins. What took long so has a time of its own, and so has what was read after a suspend.
func (m *moment) stamp(c *hal.Clock) *wire.Clock {
	passed := time.Since(m.taken) // stands still in suspend
	if boot, known := c.SinceBoot(); known && m.known {
		passed = max(passed, boot-m.boot)
	}
	if passed > momentary {
		*m = *takeMoment(c)
	}
	return m.clock
}
