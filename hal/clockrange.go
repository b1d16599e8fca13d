package hal

import "time"

// oldestWall is before anybody wrote this software. An unset clock starts at the epoch of a board or of its firmware.
var oldestWall = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

// life is for how many years after it was made a terminal may be in use. A clock that shows a later time has lost its
// battery, or has wrapped: 32 bits without a sign end in 2106, and what was before 1970 ends up there.
const life = 30

// SetEarliest tells the clock that it is later than t, for instance because the program was built then. A wall clock
// that shows an earlier time counts as unset. It never goes back.
func (c *Clock) SetEarliest(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.earliest) {
		c.earliest = t
	}
}

// Earliest returns a time that is past for sure.
func (c *Clock) Earliest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.earliest
}

// plausible tells whether it can be t now.
func (c *Clock) plausible(t time.Time) bool {
	earliest := c.Earliest()
	return !t.Before(earliest) && t.Before(earliest.AddDate(life, 0, 0))
}
