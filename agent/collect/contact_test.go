package collect_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// box is a terminal with a tamper switch and a dock.
type box struct {
	*bench
	tamper, dock *haltest.Switch

	mu     sync.Mutex
	audits []string
}

func newBox(t *testing.T, open, docked bool) *box {
	t.Helper()
	b := &box{tamper: haltest.NewSwitch(open), dock: haltest.NewSwitch(docked)}
	opts := quiet()
	opts.Board = hal.Open(hal.Profile{
		SysRoot: t.TempDir(), Tamper: &hal.Pin{Line: "TAMPER"}, Dock: &hal.Pin{Line: "DOCK"},
		OpenLine: func(p hal.Pin) (hal.Line, error) {
			return map[string]*haltest.Switch{"TAMPER": b.tamper, "DOCK": b.dock}[p.Line].Open()
		},
	})
	opts.Audit = func(a *wire.Audit) {
		b.mu.Lock()
		defer b.mu.Unlock()
		text := strings.TrimPrefix(a.GetKind().String(), "AUDIT_KIND_TAMPER_")
		if a.Count != nil {
			text += fmt.Sprintf(" x%d", a.GetCount())
		}
		if a.Found != "" {
			text += " (" + a.Found + ")"
		}
		b.audits = append(b.audits, text)
	}
	b.bench = run(t, opts)
	t.Cleanup(func() {
		if n := b.tamper.Opened() + b.dock.Opened(); n != 0 {
			t.Errorf("%d lines stay open", n)
		}
	})
	return b
}

func (b *box) expectAudits(t *testing.T, when string, want ...string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.audits, want) {
		t.Errorf("%s: the ledger has %q, want %q", when, b.audits, want)
	}
}

// contacts returns what telemetry has of a switch.
func (b *box) contacts(kind wire.ContactKind) (states []string) {
	for _, e := range b.lane.events() {
		c := e.GetContact()
		if c.GetKind() != kind {
			continue
		}
		state := "unknown"
		if c.Active != nil {
			state = fmt.Sprint(*c.Active)
		}
		states = append(states, fmt.Sprintf("%s+%d", state, c.Changes))
	}
	return states
}

func (b *box) expectContacts(t *testing.T, when string, kind wire.ContactKind, want ...string) {
	t.Helper()
	if got := b.contacts(kind); !slices.Equal(got, want) {
		t.Errorf("%s: telemetry has %q, want %q", when, got, want)
	}
}

const (
	tamperKind = wire.ContactKind_CONTACT_KIND_TAMPER
	dockKind   = wire.ContactKind_CONTACT_KIND_DOCK
)

func TestTamperIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, false, true)
		pass(time.Second)
		b.expectAudits(t, "at the start")
		b.expectContacts(t, "at the start", tamperKind, "false+0")
		b.expectContacts(t, "at the start", dockKind, "true+0")

		b.tamper.Move(true)
		pass(200 * time.Millisecond)
		b.expectAudits(t, "opened", "OPENED")
		b.expectContacts(t, "opened", tamperKind, "false+0", "true+1")
		b.tamper.Move(false)
		pass(200 * time.Millisecond)
		b.expectAudits(t, "closed", "OPENED", "CLOSED")

		b.dock.Move(false)
		pass(200 * time.Millisecond)
		b.expectContacts(t, "out of the dock", dockKind, "true+0", "false+1")
		b.expectAudits(t, "out of the dock", "OPENED", "CLOSED")
		b.stop()
	})
}

func TestTamperOpenAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, true, false)
		pass(time.Second)
		b.expectAudits(t, "at the start", "OPENED")
		b.expectContacts(t, "at the start", tamperKind, "true+0")
		b.stop()
	})
}

// A switch that is opened again and again does not fill the ledger, and none of it is left out of the count.
func TestTamperFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, false, false)
		pass(time.Second)
		for range 500 {
			b.tamper.Move(true)
			pass(time.Second)
			b.tamper.Move(false)
			pass(time.Second)
		}
		pass(time.Hour)
		b.mu.Lock()
		opened, closed := 0, 0
		for _, a := range b.audits {
			n := 1
			name, count, many := strings.Cut(a, " x")
			if many {
				if _, err := fmt.Sscan(count, &n); err != nil {
					t.Fatal(err)
				}
			}
			switch name {
			case "OPENED":
				opened += n
			case "CLOSED":
				closed += n
			}
		}
		if len(b.audits) > 20 || opened != 500 || closed != 500 || !strings.HasPrefix(b.audits[len(b.audits)-1], "CLOSED") {
			t.Errorf("%d events tell of %d openings and %d closings, the last %q", len(b.audits), opened, closed, b.audits[len(b.audits)-1])
		}
		b.mu.Unlock()
		b.stop()
	})
}

func TestTamperUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t, false, false)
		pass(time.Second)
		b.tamper.Fail(hal.ErrGone)
		pass(time.Minute)
		b.expectAudits(t, "gone", "UNREADABLE (not there)")
		b.expectContacts(t, "gone", tamperKind, "false+0", "unknown+0")
		b.tamper.Move(true)
		b.tamper.Fail(nil)
		pass(time.Minute)
		b.expectAudits(t, "back and open", "UNREADABLE (not there)", "OPENED")
		b.expectContacts(t, "back and open", tamperKind, "false+0", "unknown+0", "true+1")
		b.stop()
	})
}
