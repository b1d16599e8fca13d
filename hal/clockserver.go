package hal

import "time"

// How far the wall clock may be from the backend's and still agree with it.
const (
	// serverTolerance is what is forgiven beyond what the backend's time is known to.
	serverTolerance = 2 * time.Second
	// serverUseful is how well the backend's time must be known for a comparison to say anything: after a slow round
	// trip it isn't, and after a week without another one it no longer is.
	serverUseful = time.Minute
	// drift is how much faster or slower than it should a terminal's clock runs, at most: 100 parts in a million. Crystals
	// are sold as 20, and cold, heat and age come on top.
	drift = 10_000 // one part in
	// tick is the unit in which the backend tells the time.
	tick = time.Millisecond
)

// anchor is the backend's clock, kept by the clock since boot, which does not move when somebody sets the date.
type anchor struct {
	booted time.Time     // the moment of boot by the backend's clock; zero means unknown
	within time.Duration // how far off that can have been when it was learnt
	learnt time.Duration // when that was, since boot
}

// bound returns how far off the anchor can be at a time since boot.
func (a anchor) bound(boot time.Duration) time.Duration {
	return a.within + (boot-a.learnt).Abs()/drift
}

// SetServerTime tells the clock what time the backend had when it answered, and how long that answer took from the
// question on, by SinceBoot. The backend's clock was read at some moment of the round trip, so half of it is the error.
// Of several answers the clock keeps the one that it knows best, which a long time later is a newer one; an answer that
// contradicts what was known takes its place. The wall clock itself is not touched.
//
// SetServerTime returns false, and forgets the answer, when that time can't be right: it is before 2024 or after 2053.
func (c *Clock) SetServerTime(server time.Time, roundTrip time.Duration) bool {
	boot, known := c.SinceBoot()
	if !known || roundTrip < 0 || !plausible(server) {
		return false
	}
	fresh := anchor{booted: server.Add(roundTrip/2 - boot), within: roundTrip/2 + tick, learnt: boot}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.server.bound(boot)
	contradicts := fresh.booted.Sub(c.server.booted).Abs() > fresh.within+old
	if c.server.booted.IsZero() || contradicts || fresh.within <= old {
		c.server = fresh
	}
	return true
}

// ServerTime returns what time the backend has now, and how far off that can be; ok is false while it is unknown.
func (c *Clock) ServerTime() (now time.Time, within time.Duration, ok bool) {
	boot, known := c.SinceBoot()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !known || c.server.booted.IsZero() {
		return time.Time{}, 0, false
	}
	return c.server.booted.Add(boot), c.server.bound(boot), true
}

// agrees tells whether the wall clock shows what the backend's clock shows, at boot after the start of the machine.
func (c *Clock) agrees(wall time.Time, boot time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	bound := c.server.bound(boot)
	if c.server.booted.IsZero() || bound > serverUseful {
		return false
	}
	return wall.Sub(c.server.booted.Add(boot)).Abs() <= serverTolerance+bound
}
