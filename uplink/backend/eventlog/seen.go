package eventlog

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// maxBoots is how many boots of a batch are told apart; a terminal's epoch belongs to one. The others' events go by their
// wall clocks.
const maxBoots = 8

// seen is what the events of a batch tell of the clock of one boot.
type seen struct {
	id   [16]byte
	last int64       // the latest time since boot, in milliseconds
	wall *wire.Clock // the reading of the wall clock that can be trusted most, and of several the last; nil when none can be right
}

// see takes in what an event tells of the terminal's clocks.
func (c *checked) see(clock *wire.Clock) {
	source := wallSource(clock, c.Received.UnixMilli())
	if !hasBoot(clock) {
		if source != TimeSource_TIME_SOURCE_BOUNDS {
			c.lastWall = max(c.lastWall, clock.GetWallUnixMs())
		}
		return
	}
	var s *seen
	for i := range c.boots {
		if bytes.Equal(c.boots[i].id[:], clock.BootId) {
			s = &c.boots[i]
		}
	}
	if s == nil {
		if len(c.boots) == maxBoots {
			return
		}
		c.boots = append(c.boots, seen{id: [16]byte(clock.BootId)})
		s = &c.boots[len(c.boots)-1]
	}
	s.last = max(s.last, clock.GetBootMs())
	if source != TimeSource_TIME_SOURCE_BOUNDS && (s.wall == nil || clock.GetConfidence() >= s.wall.GetConfidence()) {
		s.wall = clock
	}
}

// estimate returns the clock of a boot of which the terminal told nothing in a Hello, from what is known of it and from
// the batch's events, all of which happened before the given time.
func (s *seen) estimate(known *BootClock, before int64) *BootClock {
	latest := before - s.last // the latest moment at which the boot can have been
	if s.wall != nil {
		boot, start := s.wall.GetBootMs(), s.wall.GetWallUnixMs()-s.wall.GetBootMs()
		source := wallSource(s.wall, before)
		// Of two readings of a clock that was checked the later one is better; of one that was not, neither is.
		better := known == nil || source > known.Source ||
			source == known.Source && source > TimeSource_TIME_SOURCE_RTC && boot > known.BootMs
		if better && start <= latest+wallAhead {
			return &BootClock{BootId: s.id[:], BootMs: boot, UnixMs: min(start, latest) + boot, Source: source}
		}
	}
	if known == nil {
		return &BootClock{BootId: s.id[:], BootMs: s.last, UnixMs: before, Source: TimeSource_TIME_SOURCE_BOUNDS}
	}
	if known.start() > latest {
		known = proto.CloneOf(known)
		known.UnixMs = latest + known.BootMs
	}
	return known
}

// lastEvent returns the time of the batch's last event, 0 when it has none whose time is known.
func (c *checked) lastEvent(clocks []*BootClock) int64 {
	last := c.lastWall
	for i, s := range c.boots {
		last = max(last, clocks[i].start()+s.last)
	}
	return min(last, c.Received.UnixMilli())
}
