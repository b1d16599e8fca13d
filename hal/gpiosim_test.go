package hal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// gpioSim is where the kernel's simulated lines are made: Documentation/admin-guide/gpio/gpio-sim.rst.
const gpioSim = "/sys/kernel/config/gpio-sim"

// simLine is a line of a simulated chip.
type simLine struct{ dir, pull string }

// newSimLine makes a chip with a line that has that name. It skips the test where the kernel has no gpio-sim.
func newSimLine(t *testing.T, name string) *simLine {
	t.Helper()
	if _, err := os.Stat(gpioSim); err != nil {
		t.Skip("the kernel has no gpio-sim")
	}
	s := &simLine{dir: filepath.Join(gpioSim, "stampd-"+strconv.FormatInt(time.Now().UnixNano(), 36))}
	for _, dir := range []string{"", "bank0", "bank0/line3"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, filepath.Join(s.dir, "bank0/num_lines"), "8")
	s.write(t, filepath.Join(s.dir, "bank0/line3/name"), name)
	s.write(t, filepath.Join(s.dir, "live"), "1")
	t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(s.dir, "live"), []byte("0"), 0o600)
		for _, dir := range []string{"bank0/line3", "bank0", ""} {
			_ = os.Remove(filepath.Join(s.dir, dir))
		}
	})
	device, chip := s.read(t, "dev_name"), s.read(t, "bank0/chip_name")
	s.pull = filepath.Join("/sys/devices/platform", device, chip, "sim_gpio3/pull")
	return s
}

func (s *simLine) write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *simLine) read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

// move pulls the line up or down.
func (s *simLine) move(t *testing.T, high bool) {
	t.Helper()
	s.write(t, s.pull, map[bool]string{true: "pull-up", false: "pull-down"}[high])
}

func TestKernelLineConformance(t *testing.T) {
	for name, activeLow := range map[string]bool{"active high": false, "active low": true} {
		t.Run(name, func(t *testing.T) {
			haltest.TestLine(t, func(t *testing.T) haltest.LineBench {
				const line = "TAMPER"
				s := newSimLine(t, line)
				return haltest.LineBench{
					Open:   func() (hal.Line, error) { return hal.OpenLine("/dev", hal.Pin{Line: line, ActiveLow: activeLow}) },
					Move:   func(active bool) { s.move(t, active != activeLow) },
					Remove: func() { s.write(t, filepath.Join(s.dir, "live"), "0") },
					Quick:  time.Second,
				}
			})
		})
	}
}

// A line that is an output, or that is read again and again, stays what it is and where it is.
func TestKernelLineChangesNothing(t *testing.T) {
	s := newSimLine(t, "DOCK")
	s.move(t, true)
	for range 20 {
		l, err := hal.OpenLine("/dev", hal.Pin{Line: "DOCK"})
		if err != nil {
			t.Fatal(err)
		}
		if active, err := l.Read(); !active || err != nil {
			t.Fatalf("reads %v, %v, want what the line was pulled to", active, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// lineCycles is how often a chip is unplugged while a line of it is taken. Linux before 6.9 never gives the numbers of such a
// chip's lines to another (drivers/gpio/gpiolib.c, gpiod_free: the chip is gone by then), and has a few hundred chips' numbers.
const lineCycles = 50

// A chip that is plugged out and in leaves no descriptor behind.
func TestKernelLineUnplugCycles(t *testing.T) {
	s := newSimLine(t, "DOCK")
	before := descriptors(t)
	for range lineCycles {
		l, err := hal.OpenLine("/dev", hal.Pin{Line: "DOCK"})
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, filepath.Join(s.dir, "live"), "0")
		if _, err := l.Read(); err == nil {
			t.Fatal("reads a line that is gone")
		}
		_ = l.Close()
		s.write(t, filepath.Join(s.dir, "live"), "1")
	}
	if after := descriptors(t); after > before+2 {
		t.Errorf("%d descriptors, %d at first", after, before)
	}
}

// A switch that bounces is told of once, when it is at rest, with its state at the start and through both of its edges.
func TestKernelContactBounces(t *testing.T) {
	s := newSimLine(t, "TAMPER")
	s.move(t, true)
	board := hal.Open(hal.Profile{SystemBus: hal.NoBus, Tamper: &hal.Pin{Line: "TAMPER", Debounce: 100 * time.Millisecond}})
	defer board.Close()
	ctx, cancel := context.WithCancel(t.Context())
	states := make(chan hal.Contact, 100)
	var watching sync.WaitGroup
	watching.Go(func() { board.WatchContacts(ctx, func(_ wire.ContactKind, c hal.Contact) { states <- c }) })
	defer watching.Wait()
	defer cancel()
	want := hal.Contact{Active: true}
	for range 4 {
		select {
		case got := <-states:
			if got != want {
				t.Errorf("told of %+v, want %+v", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing was told; %+v", board.Found())
		}
		want = hal.Contact{Active: !want.Active, Changes: want.Changes + 1}
		for bounce := range 41 { // more than the kernel keeps the edges of
			s.move(t, want.Active == (bounce%2 == 0))
		}
	}
	time.Sleep(500 * time.Millisecond) // a real line: nothing must come
	if len(states) > 1 {
		t.Errorf("%d states were told for one move", len(states))
	}
}

// A line that somebody else has is not taken from them, and is there when they let go.
func TestKernelLineTaken(t *testing.T) {
	newSimLine(t, "DOCK")
	pin := hal.Pin{Line: "DOCK"}
	theirs, err := hal.OpenLine("/dev", pin)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := hal.OpenLine("/dev", pin); !errors.Is(err, hal.ErrTaken) {
		t.Errorf("got %v, %v for a line that is taken, want %v", ours, err, hal.ErrTaken)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	ours, err := hal.OpenLine("/dev", pin)
	if err != nil {
		t.Fatal(err)
	}
	_ = ours.Close()
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
