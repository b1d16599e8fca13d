package hal_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// told are the states that a board told of, in order.
type told struct {
	mu     sync.Mutex
	states []hal.Contact
}

func (w *told) take(_ wire.ContactKind, state hal.Contact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, state)
}

func (w *told) all() []hal.Contact {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

// watched watches a switch as the tamper switch of a board, until the test ends.
func watched(t *testing.T, s *haltest.Switch) (*hal.Board, *told) {
	t.Helper()
	board := hal.Open(hal.Profile{
		SysRoot: t.TempDir(), ProcRoot: t.TempDir(), SystemBus: hal.NoBus,
		Tamper: &hal.Pin{Line: "TAMPER"}, OpenLine: func(hal.Pin) (hal.Line, error) { return s.Open() },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var w told
	var done sync.WaitGroup
	done.Go(func() { board.WatchContacts(ctx, w.take) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
		if s.Opened() != 0 {
			t.Errorf("%d lines stay open", s.Opened())
		}
	})
	return board, &w
}

// tamperPart returns what the board says of its tamper switch.
func tamperPart(b *hal.Board) hal.Part {
	for _, p := range b.Found() {
		if p.Name == "tamper" {
			return p
		}
	}
	return hal.Part{}
}

func expectTold(t *testing.T, when string, w *told, want ...hal.Contact) {
	t.Helper()
	got := w.all()
	if !slices.EqualFunc(got, want, func(a, b hal.Contact) bool {
		return a.Active == b.Active && a.Changes == b.Changes && errors.Is(a.Err, b.Err)
	}) {
		t.Errorf("%s: told %+v, want %+v", when, got, want)
	}
}

func TestContact(t *testing.T) {
	open, closed := hal.Contact{Active: true}, hal.Contact{}
	changed := func(c hal.Contact, changes uint32) hal.Contact { c.Changes = changes; return c }
	for _, test := range []struct {
		name  string
		start bool
		act   func(t *testing.T, s *haltest.Switch)
		want  []hal.Contact
	}{
		{"closed at the start", false, func(*testing.T, *haltest.Switch) {}, []hal.Contact{closed}},
		{"open at the start", true, func(*testing.T, *haltest.Switch) {}, []hal.Contact{open}},
		{"opened", false, func(_ *testing.T, s *haltest.Switch) { s.Move(true) }, []hal.Contact{closed, changed(open, 1)}},
		{"opened with a bounce", false, func(_ *testing.T, s *haltest.Switch) {
			for i := range 21 {
				s.Move(i%2 == 0)
				time.Sleep(3 * time.Millisecond)
			}
		}, []hal.Contact{closed, changed(open, 1)}},
		{"touched", false, func(_ *testing.T, s *haltest.Switch) {
			s.Move(true)
			time.Sleep(20 * time.Millisecond)
			s.Move(false)
		}, []hal.Contact{closed}},
		{"opened and closed", false, func(_ *testing.T, s *haltest.Switch) {
			s.Move(true)
			time.Sleep(time.Second)
			s.Move(false)
		}, []hal.Contact{closed, changed(open, 1), changed(closed, 2)}},
		{"an edge that was lost", false, func(_ *testing.T, s *haltest.Switch) {
			s.Slip(true)
			time.Sleep(time.Minute)
		}, []hal.Contact{closed, changed(open, 1)}},
		{"a spurious edge", false, func(_ *testing.T, s *haltest.Switch) { s.Move(false) }, []hal.Contact{closed}},
		{"unplugged for a moment", false, func(_ *testing.T, s *haltest.Switch) {
			s.Fail(hal.ErrGone)
			time.Sleep(4 * time.Second)
			s.Fail(nil)
			time.Sleep(10 * time.Second)
		}, []hal.Contact{closed}},
		{"opened while unplugged", false, func(_ *testing.T, s *haltest.Switch) {
			s.Fail(hal.ErrGone)
			time.Sleep(4 * time.Second)
			s.Move(true)
			s.Fail(nil)
			time.Sleep(10 * time.Second)
		}, []hal.Contact{closed, changed(open, 1)}},
		{"unplugged and back", true, func(_ *testing.T, s *haltest.Switch) {
			s.Fail(hal.ErrGone)
			time.Sleep(time.Minute)
			s.Fail(nil)
			time.Sleep(10 * time.Second)
		}, []hal.Contact{open, {Err: hal.ErrGone}, open}},
		{"gone without a word", true, func(_ *testing.T, s *haltest.Switch) {
			s.FailSilently(hal.ErrGone)
			time.Sleep(2 * time.Minute)
		}, []hal.Contact{open, {Err: hal.ErrGone}}},
		{"taken by another", true, func(_ *testing.T, s *haltest.Switch) {
			s.Fail(hal.ErrTaken)
			time.Sleep(time.Minute)
		}, []hal.Contact{open, {Err: hal.ErrTaken}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := haltest.NewSwitch(test.start)
				_, w := watched(t, s)
				time.Sleep(time.Second)
				test.act(t, s)
				time.Sleep(time.Second)
				expectTold(t, "at the end", w, test.want...)
			})
		})
	}
}

// A line that never rests is told of once, and left alone most of the time.
func TestContactUnsteady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := haltest.NewSwitch(false)
		board, w := watched(t, s)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var loose sync.WaitGroup
		loose.Go(func() {
			for active := true; ctx.Err() == nil; active = !active {
				s.Move(active)
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(5 * time.Minute)
		if p := tamperPart(board); p.OK || p.Detail != hal.ErrUnsteady.Error() {
			t.Errorf("part is %+v", p)
		}
		expectTold(t, "while it moves", w, hal.Contact{}, hal.Contact{Err: hal.ErrUnsteady})
		cancel()
		loose.Wait()
		s.Move(true)
		time.Sleep(15 * time.Second)
		if last := w.all()[len(w.all())-1]; last.Err != nil || !last.Active {
			t.Errorf("at rest: %+v", last)
		}
	})
}

// A line whose chip comes after the start is picked up.
func TestContactLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := haltest.NewSwitch(true)
		s.Fail(hal.ErrGone)
		board, w := watched(t, s)
		time.Sleep(time.Second)
		if p := tamperPart(board); p.OK || p.Driver != "gpio" || p.Detail != hal.ErrGone.Error() {
			t.Errorf("part is %+v", p)
		}
		expectTold(t, "at first", w)
		time.Sleep(time.Minute)
		expectTold(t, "after a minute", w, hal.Contact{Err: hal.ErrGone})
		s.Fail(nil)
		time.Sleep(6 * time.Second)
		expectTold(t, "plugged in", w, hal.Contact{Err: hal.ErrGone}, hal.Contact{Active: true})
		if p := tamperPart(board); !p.OK || p.Detail != "open" {
			t.Errorf("part is %+v", p)
		}
	})
}

// Ten thousand times unplugged: no line stays open, and goleak sees no goroutine.
func TestContactUnplugCycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := haltest.NewSwitch(false)
		_, w := watched(t, s)
		for range 10_000 {
			s.Fail(hal.ErrGone)
			time.Sleep(6 * time.Second)
			s.Fail(nil)
			time.Sleep(6 * time.Second)
			if s.Opened() != 1 {
				t.Fatalf("%d lines are open", s.Opened())
			}
		}
		if n := len(w.all()); n != 1 {
			t.Errorf("told of %d states, want the first alone", n)
		}
	})
}
