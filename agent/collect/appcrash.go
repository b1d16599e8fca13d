package collect

import (
	"math"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// maxCrashes is how many crashes are told apart until they are told.
const maxCrashes = 16

// crashes are those that were not told yet: the first few at once, and what an application does that crashes all the time
// with the next window, or with the next crash that may be told at once.
type crashes struct {
	held    []*wire.AppCrash
	allowed allowance
}

// find returns the crash that counts for a report: that of the same reason or, when there are too many, any of the application.
func (c *crashes) find(r *AppReport) (found *wire.AppCrash) {
	for _, held := range c.held {
		if held.App != r.App || held.Version != r.Version {
			continue
		}
		if held.Reason == r.Crash.Reason {
			return held
		}
		if len(c.held) == maxCrashes {
			found = held
		}
	}
	return found
}

// fits reports whether the crash of a report can be held.
func (c *crashes) fits(r *AppReport) bool { return len(c.held) < maxCrashes || c.find(r) != nil }

// take counts the crash of a report, which must fit. It returns what is to be told at once.
func (c *crashes) take(r *AppReport, now time.Time) []*wire.Event {
	crash := c.find(r)
	if crash == nil {
		crash = &wire.AppCrash{App: r.App, Version: r.Version, Reason: r.Crash.Reason}
		c.held = append(c.held, crash)
	}
	crash.Count += min(1, math.MaxUint32-crash.Count)
	crash.CrashedUnixMs = r.Crash.UnixMs
	if !c.allowed.take(now) {
		return nil
	}
	return c.drain()
}

// drain returns all that are held, and forgets them.
func (c *crashes) drain() (events []*wire.Event) {
	for _, crash := range c.held {
		events = append(events, &wire.Event{Body: &wire.Event_AppCrash{AppCrash: crash}})
	}
	c.held = nil
	return events
}
