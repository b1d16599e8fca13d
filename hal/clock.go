package hal

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// Clock reads every clock that the terminal has, and knows what the backend's shows. It is safe for concurrent use, and
// sets none of them.
//
// The wall clock can be wrong, and can be set at any time. The clock since boot can't: it is what times are told apart
// by, and what the backend's time is kept against. Waiting needs neither: Go's timers and time.Since use CLOCK_MONOTONIC,
// which nobody can set, and which stands still in suspend. Where time asleep must count, as it must in a reading's age or
// in the answer to "how long ago", SinceBoot is the clock to use.
type Clock struct {
	ClockSources
	steps chan time.Duration

	mu       sync.Mutex // guards what follows
	server   anchor     // the backend's clock
	booted   int64      // the moment of boot by the wall clock, in milliseconds since 1970, at the last reading
	readAt   time.Duration
	compared bool // there was a reading
}

// ClockSources are the clocks behind a [Clock]. All of them are set.
type ClockSources struct {
	BootID       []byte // 16 bytes, or nil when unknown
	Wall         func() time.Time
	SinceBoot    func() (time.Duration, bool) // CLOCK_BOOTTIME, suspend included; false when it can't be read
	Synchronised func() bool                  // whether NTP disciplines the wall clock
}

// NewClock returns the clock of the machine whose procfs is at procRoot, normally /proc. It never fails: without a boot
// id at <procRoot>/sys/kernel/random/boot_id, that stays unknown.
func NewClock(procRoot string) *Clock {
	return NewClockOf(ClockSources{
		BootID:       readBootID(procRoot),
		Wall:         time.Now,
		SinceBoot:    sinceBoot,
		Synchronised: synchronised,
	})
}

// NewClockOf returns a clock that reads the given sources.
func NewClockOf(s ClockSources) *Clock {
	return &Clock{ClockSources: s, steps: make(chan time.Duration, 1)}
}

// Now returns the time by every clock. The wall clock is as read, right or wrong; how far it can be trusted is in the
// confidence. The caller owns the message.
func (c *Clock) Now() *wire.Clock {
	wall, boot, known := c.read()
	now := &wire.Clock{WallUnixMs: new(wall.UnixMilli()), BootId: c.BootID()}
	if known {
		now.BootMs = new(boot.Milliseconds())
		c.compare(wall, boot)
	}
	switch {
	case !plausible(wall):
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	case c.Synchronised():
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_NTP
	case known && c.agrees(wall, boot):
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK
	default:
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
	}
	return now
}

// BootID returns the random id of this boot: 16 bytes, or nil when unknown. The caller owns them.
func (c *Clock) BootID() []byte { return slices.Clone(c.ClockSources.BootID) }

// apart is the longest that two readings may be apart and still count as one.
const apart = 10 * time.Millisecond

// read reads both clocks as good as at once: between the two, a busy machine may do something else, or be suspended.
func (c *Clock) read() (wall time.Time, boot time.Duration, known bool) {
	for range 4 {
		before, ok := c.SinceBoot()
		wall = c.Wall()
		boot, known = c.SinceBoot()
		if !ok || !known || boot-before <= apart {
			break
		}
	}
	return wall, boot, known
}

// readBootID returns the id of this boot as 16 bytes, or nil: the kernel writes it as a UUID (random(4)).
func readBootID(procRoot string) []byte {
	text, err := os.ReadFile(filepath.Join(procRoot, "sys/kernel/random/boot_id"))
	if err != nil {
		return nil
	}
	id, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(id) != 16 {
		return nil
	}
	return id
}
