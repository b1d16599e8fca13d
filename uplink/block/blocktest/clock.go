package blocktest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// clock is both clocks of a terminal that keeps its time by NTP. They are read in whole milliseconds, one after the
// other, so that their difference is off by one now and then; NTP moves the wall clock by some milliseconds every
// twenty minutes or so.
type clock struct {
	wall   time.Duration // since 1970
	booted time.Duration // since 1970, the moment of boot by the wall clock of now
	bootID []byte
}

func newClock(rng *rand.Rand) clock {
	c := clock{booted: time.Duration(between(rng, 0.01, 30) * float64(24*time.Hour)), bootID: make([]byte, 16)}
	for i := range c.bootID {
		c.bootID[i] = byte(rng.Uint32())
	}
	return c
}

// reach lets time pass until t.
func (c *clock) reach(t time.Time) {
	if c.wall == 0 {
		c.booted = time.Duration(t.UnixNano()) - c.booted
	}
	c.wall = max(c.wall, time.Duration(t.UnixNano()))
}

// advance lets some milliseconds pass.
func (c *clock) advance(rng *rand.Rand, least, most float64) {
	c.wall += time.Duration(between(rng, least, most) * float64(time.Millisecond))
	if chance(rng, 0.006) {
		c.booted += time.Duration(normal(rng, 0, 2) * float64(time.Millisecond))
	}
}

func (c *clock) uptime() uint64 { return uint64((c.wall - c.booted) / time.Second) }

func (c *clock) now() *wire.Clock {
	return &wire.Clock{
		WallUnixMs: new(c.wall.Milliseconds()),
		BootMs:     new((c.wall - c.booted).Milliseconds()),
		BootId:     slices.Clone(c.bootID),
		Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_NTP,
	}
}
