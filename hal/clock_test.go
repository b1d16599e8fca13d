package hal

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	unset   = wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	rtc     = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
	network = wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK
	ntp     = wire.ClockConfidence_CLOCK_CONFIDENCE_NTP
)

// day is when most of these tests play.
var day = time.Date(2026, time.March, 3, 12, 0, 0, 0, time.UTC)

// bench is a clock whose every source can be set.
type bench struct {
	wall   time.Time
	boot   time.Duration
	noBoot bool
	sync   bool
}

func (b *bench) clock() *Clock {
	return NewClockOf(ClockSources{
		Wall:         func() time.Time { return b.wall },
		SinceBoot:    func() (time.Duration, bool) { return b.boot, !b.noBoot },
		Synchronised: func() bool { return b.sync },
	})
}

// pass lets time pass.
func (b *bench) pass(d time.Duration) { b.wall, b.boot = b.wall.Add(d), b.boot+d }

func TestClockConfidence(t *testing.T) {
	oldest, newest := time.UnixMilli(oldestWall), time.UnixMilli(newestWall)
	wrap := time.Date(2038, time.January, 19, 3, 14, 8, 0, time.UTC) // what 32 bits with a sign don't hold
	for _, test := range []struct {
		name   string
		wall   time.Time
		sync   bool
		server time.Duration // the backend's time, from wall; unknown when none is set
		none   bool
		want   wire.ClockConfidence
	}{
		{name: "epoch of a board", wall: time.Unix(0, 0), none: true, want: unset},
		{name: "before 1970", wall: time.Unix(-1, 0), none: true, want: unset},
		{name: "1901, where 32 bits begin", wall: time.Unix(-1<<31, 0), none: true, want: unset},
		{name: "2106, where they end without a sign", wall: time.Unix(1<<32-1, 0), none: true, want: unset},
		{name: "last moment of 2023", wall: oldest.Add(-1), none: true, want: unset},
		{name: "first moment of 2024", wall: oldest, none: true, want: rtc},
		{name: "last moment of the last year", wall: newest.Add(-1), none: true, want: rtc},
		{name: "after the last year", wall: newest, none: true, want: unset},
		{name: "last second of 32 bits", wall: wrap.Add(-1), none: true, want: rtc},
		{name: "the second after", wall: wrap, none: true, want: rtc},
		{name: "NTP the second after", wall: wrap, sync: true, none: true, want: ntp},
		{name: "backend agrees the second after", wall: wrap, want: network},
		{name: "epoch, and the kernel claims NTP", wall: time.Unix(0, 0), sync: true, none: true, want: unset},
		{name: "epoch, and the backend agrees", wall: time.Unix(0, 0), want: unset},
		{name: "2106, and the backend agrees", wall: time.Unix(1<<32-1, 0), want: unset},
		{name: "nothing known", wall: day, none: true, want: rtc},
		{name: "NTP", wall: day, sync: true, none: true, want: ntp},
		{name: "backend agrees", wall: day, want: network},
		{name: "backend 2 s ahead", wall: day, server: 2 * time.Second, want: network},
		{name: "backend 2 s behind", wall: day, server: -2 * time.Second, want: network},
		{name: "backend more than 2 s ahead", wall: day, server: 2*time.Second + tick + 1, want: rtc},
		{name: "backend a day behind", wall: day, server: -24 * time.Hour, want: rtc},
		{name: "NTP, and the backend agrees", wall: day, sync: true, want: ntp},
		{name: "NTP, and the backend lies", wall: day, sync: true, server: 365 * 24 * time.Hour, want: ntp},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bench{wall: test.wall, boot: time.Hour, sync: test.sync}
			c := b.clock()
			if !test.none {
				c.SetServerTime(test.wall.Add(test.server), 0)
			}
			now := c.Now()
			if now.Confidence != test.want {
				t.Errorf("confidence is %v, want %v", now.Confidence, test.want)
			}
			if got := now.GetWallUnixMs(); got != test.wall.UnixMilli() {
				t.Errorf("wall clock is %d ms, want it as read: %d", got, test.wall.UnixMilli())
			}
			if now.GetBootMs() != time.Hour.Milliseconds() {
				t.Errorf("time since boot is %d ms, want an hour", now.GetBootMs())
			}
		})
	}
}

func TestClockWithoutBootTime(t *testing.T) {
	b := bench{wall: day, noBoot: true}
	c := b.clock()
	if c.SetServerTime(b.wall, 0) {
		t.Error("the backend's time was kept against nothing")
	}
	now := c.Now()
	if now.BootMs != nil || now.Confidence != rtc {
		t.Errorf("got %v; want an unknown time since boot, and RTC", now)
	}
}

// A machine that does something else between two readings must not make the clocks seem to differ.
func TestClockReadsAtOnce(t *testing.T) {
	b := bench{wall: day, boot: time.Hour}
	c := b.clock()
	c.Now()
	interrupted := false
	c.Wall = func() time.Time {
		wall := b.wall
		if !interrupted {
			interrupted = true
			b.pass(time.Minute)
		}
		return wall
	}
	now := c.Now()
	if want := day.Add(time.Minute).UnixMilli(); now.GetWallUnixMs() != want || now.GetBootMs() != 61*time.Minute.Milliseconds() {
		t.Errorf("read %v, want both clocks after the interruption", now)
	}
	select {
	case by := <-c.Steps():
		t.Errorf("an interruption counts as a step of %v", by)
	default:
	}
}

func TestClockBootID(t *testing.T) {
	id := []byte{0xb3, 0x76, 0xef, 0x9e, 0x55, 0xa6, 0x4e, 0x8f, 0xa9, 0xdb, 0x34, 0x4c, 0xd9, 0x97, 0xf0, 0x01}
	for _, test := range []struct {
		name, content string
		want          []byte
	}{
		{"as the kernel writes it", "b376ef9e-55a6-4e8f-a9db-344cd997f001\n", id},
		{"without a newline", "b376ef9e-55a6-4e8f-a9db-344cd997f001", id},
		{"empty", "", nil},
		{"short", "b376ef9e-55a6\n", nil},
		{"not hexadecimal", "g376ef9e-55a6-4e8f-a9db-344cd997f001\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			file := filepath.Join(root, "sys/kernel/random/boot_id")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			c := NewClock(root)
			got := c.BootID()
			if !bytes.Equal(got, test.want) || (got == nil) != (test.want == nil) {
				t.Fatalf("boot id is %x, want %x", got, test.want)
			}
			clear(got)
			if now := c.Now(); !bytes.Equal(now.BootId, test.want) {
				t.Errorf("boot id in a reading is %x, want %x", now.BootId, test.want)
			}
		})
	}
	if got := NewClock(t.TempDir()).BootID(); got != nil {
		t.Errorf("boot id without a file is %x, want none", got)
	}
}

func TestClockOfThisMachine(t *testing.T) {
	c := NewClock("/proc")
	before := time.Now().UnixMilli()
	first, second := c.Now(), c.Now()
	if first.GetWallUnixMs() < before || second.GetWallUnixMs() > time.Now().UnixMilli() {
		t.Errorf("wall clock %d, then %d; not between its neighbours", first.GetWallUnixMs(), second.GetWallUnixMs())
	}
	if first.BootMs == nil || *first.BootMs <= 0 || second.GetBootMs() < *first.BootMs {
		t.Errorf("time since boot is %v, then %v", first.BootMs, second.BootMs)
	}
	if len(c.BootID()) != 16 {
		t.Errorf("boot id is %x, want 16 bytes", c.BootID())
	}
	if first.Confidence == wire.ClockConfidence_CLOCK_CONFIDENCE_UNSPECIFIED {
		t.Error("confidence is unspecified")
	}
}

func TestClockConcurrently(t *testing.T) {
	c := NewClock("/proc")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.SetServerTime(time.Now(), 0)
				if c.Now().BootMs == nil {
					t.Error("time since boot is unknown")
				}
			}
		})
	}
	wg.Wait()
	select {
	case by := <-c.Steps():
		t.Errorf("the clock stepped by %v", by)
	default:
	}
}
