package hal

import "time"

const (
	// stepFrom is the smallest change of the wall clock that counts as a step.
	stepFrom = 2 * time.Second
	// slew is how fast the kernel lets NTP move the wall clock without a step: 500 parts in a million (adjtimex(2)).
	slew = 2_000 // one part in
)

// Steps delivers by how much the wall clock was set; negative is back. A step is noticed at the first reading after it,
// as a change of the difference between the wall clock and the clock since boot. Steps that nobody has taken add up.
func (c *Clock) Steps() <-chan time.Duration { return c.steps }

// compare compares the wall clock with what the last reading made of it.
func (c *Clock) compare(wall time.Time, boot time.Duration) {
	booted := wall.UnixMilli() - boot.Milliseconds() // not by Sub, which would go by Go's own monotonic reading
	c.mu.Lock()
	defer c.mu.Unlock()
	by := time.Duration(booted-c.booted) * time.Millisecond
	known := c.compared
	allowed := stepFrom + (boot-c.readAt).Abs()/slew
	c.booted, c.readAt, c.compared = booted, boot, true
	if !known || by.Abs() <= allowed {
		return
	}
	select {
	case earlier := <-c.steps:
		by += earlier
	default:
	}
	c.steps <- by // there is room: nobody else sends without the lock
}
