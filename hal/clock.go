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

// serverTolerance is how far the wall clock may be from the backend's and still agree with it: a round trip over a slow
// cellular link, and no more.
const serverTolerance = 2 * time.Second

// A wall clock outside these times, in milliseconds since 1970, was never set: it starts at the epoch of a board or of its
// firmware, or has wrapped.
const (
	oldestWall = 1_704_067_200_000 // 2024-01-01T00:00:00Z
	newestWall = 2_145_916_800_000 // 2038-01-01T00:00:00Z, too late
)

// Clock reads every clock that the terminal has. It is safe for concurrent use, and sets none of them.
type Clock struct {
	bootID       []byte
	wall         func() time.Time
	sinceBoot    func() (time.Duration, bool)
	synchronised func() bool

	mu sync.Mutex // guards server
	// server is the backend's time at the moment of boot, by its own clock; zero until it is known. Unlike the wall
	// clock it does not move when somebody sets the date.
	server time.Time
}

// NewClock returns the clock of the machine whose procfs is at procRoot, normally /proc. It never fails: without a boot
// id at <procRoot>/sys/kernel/random/boot_id, that stays unknown.
func NewClock(procRoot string) *Clock {
	return &Clock{
		bootID:       readBootID(procRoot),
		wall:         time.Now,
		sinceBoot:    sinceBoot,
		synchronised: synchronised,
	}
}

// Now returns the time by every clock. The wall clock is as read, right or wrong; how far it can be trusted is in the
// confidence. The caller owns the message.
func (c *Clock) Now() *wire.Clock {
	wall := c.wall()
	ms := wall.UnixMilli()
	now := &wire.Clock{WallUnixMs: &ms, BootId: c.BootID()}
	boot, known := c.sinceBoot()
	if known {
		now.BootMs = new(boot.Milliseconds())
	}
	switch {
	case ms < oldestWall || ms >= newestWall:
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	case c.synchronised():
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_NTP
	case known && c.agrees(wall, boot):
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK
	default:
		now.Confidence = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
	}
	return now
}

// BootID returns the random id of this boot: 16 bytes, or nil when unknown. The caller owns them.
func (c *Clock) BootID() []byte { return slices.Clone(c.bootID) }

// SetServerTime tells the clock what time the backend has now. As long as the wall clock stays within two seconds of
// that, readings are of NETWORK confidence at least. The wall clock itself is not touched.
func (c *Clock) SetServerTime(now time.Time) {
	boot, known := c.sinceBoot()
	if !known {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = now.Add(-boot)
}

// agrees tells whether the wall clock shows what the backend's clock shows, at boot after the start of the machine.
func (c *Clock) agrees(wall time.Time, boot time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server.IsZero() {
		return false
	}
	return wall.Sub(c.server.Add(boot)).Abs() <= serverTolerance
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
