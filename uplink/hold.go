package uplink

import (
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// batchCost is what a batch of telemetry costs beside its payload, in bytes: its frame, its TLS record and the same of its
// ack, and the headers of three TCP segments. mtu is what a segment brings, and segmentCost its headers.
const (
	batchCost   = 240
	mtu         = 1400
	segmentCost = 52
)

const (
	// day is how long a day lasts when nobody knows what time it is.
	day = 24 * time.Hour
	// farthest is how far off the next window can be: one that lies in the hour that a change to summer time leaves out
	// comes two days later.
	farthest = 50 * time.Hour
)

// costOf returns about how many bytes a message of the given size costs on the wire, its ack included.
func costOf(size int) int64 { return int64(size + size/mtu*segmentCost + batchCost) }

// payloadOf returns how much payload a message may have that costs no more than room: a sixteenth is for the lengths of its
// records.
func payloadOf(room int64) int64 { return max(room-batchCost, 0) * mtu / (mtu + segmentCost) * 15 / 16 }

// clockTime returns what the clock on the wall should show: by the backend's time, if it is known since boot, else by the
// terminal's own, if that was ever set.
func (c *Client) clockTime() (now time.Time, known bool) {
	now, _, known = c.Clock.ServerTime()
	if !known {
		known = c.Clock.Now().GetConfidence() >= wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
		now = c.Clock.Wall()
	}
	zone := c.Zone
	if zone == nil {
		zone = time.Local
	}
	return now.In(zone), known
}

// held returns why telemetry must wait now, and for how long, as far as that is within the given time; the ledger never
// waits. While no clock is known, the window counts as open: a terminal that never learns the time would keep its readings
// for ever otherwise. What is sent tells it the time, so that costs one backlog at most, and a limit for the day holds all
// the same.
func (c *Client) held(within time.Duration) (why wire.TelemetryHold, wait time.Duration) {
	if c.TelemetryWindow == (Window{}) && c.TelemetryPerDay == 0 {
		return wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED, 0
	}
	now, known := c.clockTime()
	if known && !c.TelemetryWindow.open(now) {
		return wire.TelemetryHold_TELEMETRY_HOLD_WINDOW, untilFirst(now, within, c.TelemetryWindow.open)
	}
	if room, limited := c.room(); !limited || room > 0 {
		return wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED, 0
	}
	if !known {
		c.meter.mu.Lock()
		defer c.meter.mu.Unlock()
		return wire.TelemetryHold_TELEMETRY_HOLD_LIMIT, max(min(c.meter.calendar.untilNext(c.instant()), within), time.Second)
	}
	date := now.Format(time.DateOnly)
	return wire.TelemetryHold_TELEMETRY_HOLD_LIMIT, untilFirst(now, within, func(t time.Time) bool {
		return t.Format(time.DateOnly) != date && c.TelemetryWindow.open(t)
	})
}

// room returns how many bytes telemetry may still cost today, if that is limited.
func (c *Client) room() (bytes int64, limited bool) {
	if c.TelemetryPerDay == 0 {
		return 0, false
	}
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	used := c.meter.calendar.cost(c.instant())
	if c.meter.calendar.full {
		return 0, true
	}
	return c.TelemetryPerDay - used, true
}

// instant returns what time it is for those who count by day.
func (c *Client) instant() instant {
	var i instant
	if now, known := c.clockTime(); known {
		i.wall = now
	}
	i.boot, i.known = c.Clock.SinceBoot()
	return i
}

// spend takes the cost of a message of telemetry from what is left of today, and reports whether it may go. The first
// of a day always may: what is larger than a day's worth would never go otherwise.
func (c *Client) spend(size int) bool {
	if c.TelemetryPerDay == 0 {
		return true
	}
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	now, cost := c.instant(), costOf(size)
	used := c.meter.calendar.cost(now)
	if used > 0 && used+cost > c.TelemetryPerDay {
		c.meter.calendar.full = true
		return false
	}
	c.meter.calendar.today(now).cost += cost
	return true
}

// spent returns what telemetry has cost today, or nil when nobody counts.
func (c *Client) spent() *uint64 {
	if c.TelemetryPerDay == 0 {
		return nil
	}
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	return new(uint64(c.meter.calendar.cost(c.instant())))
}
