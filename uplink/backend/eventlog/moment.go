package eventlog

import (
	"bytes"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// oldestWall is before anybody wrote this software: 2024-01-01T00:00:00Z. A wall clock that shows an earlier time was
	// never set.
	oldestWall = 1_704_067_200_000
	// wallAhead is how far a terminal's wall clock may be ahead of the backend's and still be worth something.
	wallAhead = 5 * 60 * 1000
	// slip is how far the events of a lane can seem to go back because their boot's clock became known better.
	slip = 60 * 1000
)

// Moment is when an event happened by the backend's clock, as well as that is known.
type Moment struct {
	UnixMS  int64 // milliseconds since 1970-01-01T00:00:00Z; never after the event was received
	Source  TimeSource
	ErrorMS int64 // how far off it can be, either way, when Bounded
	Bounded bool
}

// Times tells when the events of an entry happened. It says the same for the same entry, whenever it is asked. Use is
// bound to one goroutine.
type Times struct {
	entry *Entry
	last  int64
}

// NewTimes returns the times of an entry that the log has.
func NewTimes(e *Entry) *Times { return &Times{entry: e, last: e.LastUnixMs} }

// Of returns when the event happened whose clocks are given, nil when it has none. Ask for the events in their order,
// because that is beyond doubt: an event is not before the one ahead of it. The best that is known counts:
//
//   - The clock since boot, tied to the backend's clock by a Hello of that boot. Setting the wall clock does not touch it.
//   - The clock since boot, tied to the wall clock by the events of that boot, when no Hello of it was stored.
//   - The wall clock alone, from a terminal that doesn't know its boot.
//   - That the event was received, and that its boot was over when a later one began.
func (t *Times) Of(clock *wire.Clock) Moment {
	received := t.entry.ReceivedUnixMs
	m, known := t.entry.moment(clock)
	m.UnixMS = min(m.UnixMS, received)
	if before := min(t.last, received); before > m.UnixMS {
		if behind := before - m.UnixMS; behind <= slip || m.Source != TimeSource_TIME_SOURCE_BACKEND {
			m.UnixMS += behind
			m.ErrorMS += behind
		}
	}
	if known {
		t.last = max(t.last, m.UnixMS)
	}
	return m
}

// moment returns when an event of the entry happened, and whether its clocks had a part in it.
func (e *Entry) moment(clock *wire.Clock) (m Moment, known bool) {
	if hasBoot(clock) {
		for _, b := range e.Boots {
			if bytes.Equal(b.GetBootId(), clock.BootId) {
				return b.at(*clock.BootMs), true
			}
		}
	}
	if source := wallSource(clock, e.ReceivedUnixMs); source != TimeSource_TIME_SOURCE_BOUNDS {
		return Moment{UnixMS: *clock.WallUnixMs, Source: source}, true
	}
	return Moment{UnixMS: e.ReceivedUnixMs, Source: TimeSource_TIME_SOURCE_BOUNDS}, false
}

// hasBoot reports whether clock tells the time since a boot that has a name.
func hasBoot(clock *wire.Clock) bool {
	return len(clock.GetBootId()) == 16 && clock.BootMs != nil && *clock.BootMs >= 0 && *clock.BootMs <= maxBootMS
}

// wallSource returns what a reading of the wall clock is worth as a source, BOUNDS when it can't be right.
func wallSource(clock *wire.Clock, received int64) TimeSource {
	if clock == nil || clock.WallUnixMs == nil || *clock.WallUnixMs < oldestWall || *clock.WallUnixMs > received+wallAhead {
		return TimeSource_TIME_SOURCE_BOUNDS
	}
	switch clock.Confidence {
	case wire.ClockConfidence_CLOCK_CONFIDENCE_RTC:
		return TimeSource_TIME_SOURCE_RTC
	case wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK:
		return TimeSource_TIME_SOURCE_NETWORK
	case wire.ClockConfidence_CLOCK_CONFIDENCE_NTP:
		return TimeSource_TIME_SOURCE_NTP
	}
	return TimeSource_TIME_SOURCE_BOUNDS
}
