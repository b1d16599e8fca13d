package buffer_test

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/buffer/disktest"
)

// session is a script's hold on a terminal: it does commands and keeps the promise in step. After the process has ended
// its methods do nothing.
type session struct {
	terminal *terminal
	promise  *promise
	disk     *disktest.Disk
	root     string // what the disk holds
	dir      string // where the queue is, at root or below
	room     int64
	causes   []string    // what a failing disk may give
	failing  bool        // something else than the disk fails
	unsure   atomic.Bool // the disk has failed in a way after which nobody knows what was stored
	after    func()      // called after each command; may be nil
	dead     error
	quiet    bool // enough was said of what is wrong
	last     outcome
	sales    int
}

// newSession begins a session on a disk in memory, which is empty and not mounted yet.
func newSession(t *testing.T, x *terminal, p *promise, room int64) *session {
	t.Helper()
	root, err := newMemoryDir()
	if err != nil {
		t.Error(err)
	}
	return &session{terminal: x, promise: p, root: root, dir: root, room: room}
}

// mount has the terminal's files under root on a disk that knows what is there now.
func (s *session) mount(t *testing.T) {
	t.Helper()
	var err error
	if s.disk, err = disktest.New(s.root); err != nil {
		t.Error(err)
	}
	s.terminal.process.Use(s.disk)
}

// check fails the test when a promise was broken, or the terminal has ended that should not have, which it starts anew.
func (s *session) check(t *testing.T, format string, args ...any) bool {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	err := errors.Join(s.promise.verdict(), s.terminal.process.Err())
	say := t.Errorf
	if s.quiet {
		say = func(string, ...any) { t.Fail() }
	}
	if err != nil {
		say("%s: %v", what, err)
	}
	if s.dead == nil {
		return err == nil
	}
	say("%s: process ended: %v", what, s.dead)
	if err := s.terminal.restart(); err != nil {
		t.Error(err)
	}
	return false
}

// do does c and returns its last outcome.
func (s *session) do(c command) outcome {
	if s.dead != nil {
		return outcome{}
	}
	s.promise.begun(c)
	s.dead = s.terminal.do(c, func(o outcome) {
		causes := causesOf(s.room)
		if s.failing || s.disk.Faults() > 0 {
			causes = append(causes, s.causes...)
			if s.unsure.Load() {
				causes = append(causes, "io")
			}
		}
		s.promise.noted(c, o, causes)
		if o.Done {
			s.last = o
		}
	})
	if s.dead != nil {
		return outcome{}
	}
	if s.after != nil {
		s.after()
	}
	return s.last
}

// clear removes the session's files.
func (s *session) clear() { os.RemoveAll(s.root) }

func (s *session) open()  { s.do(command{Do: openQueue, Dir: s.dir, Room: s.room}) }
func (s *session) close() { s.do(command{Do: closeDown}) }

func (s *session) pass(d time.Duration) { s.do(command{Do: pass, For: d}) }
func (s *session) measure(n int)        { s.do(command{Do: measure, N: n, Pad: 1000}) }

// sell makes n new sales at once.
func (s *session) sell(n int) { s.do(command{Do: sell, Sales: s.fresh(n, 0)}) }

// fresh returns n sales that there were not before.
func (s *session) fresh(n, pad int) []sale {
	all := make([]sale, n)
	for i := range all {
		s.sales++
		all[i] = sale{Key: fmt.Sprintf("pay-%d", s.sales), Body: "a", Card: fmt.Sprintf("card-%d", s.sales%3), Pad: pad}
	}
	return all
}

// ledger returns the newest ledger lane.
func (s *session) ledger() buffer.LaneState { return newestLedger(s.last.Lanes) }

func newestLedger(lanes []buffer.LaneState) buffer.LaneState {
	var newest buffer.LaneState
	for _, l := range lanes {
		if l.Lane == buffer.Ledger {
			newest = l
		}
	}
	return newest
}

// acknowledge has the backend take all but the last few records of the newest ledger lane, and refuse some.
func (s *session) acknowledge(l buffer.LaneState, but uint64, rejects ...uint64) {
	if l.Next <= but+1 || l.Next-1-but <= l.Acked {
		return
	}
	s.do(command{Do: ack, Lane: l.LaneID, Through: l.Next - 1 - but, Rejects: rejects})
}

// falseAck has the backend take more of the newest ledger lane than there ever was.
func (s *session) falseAck(more uint64) {
	if l := s.ledger(); l.Lane == buffer.Ledger { // else the file has not been opened
		s.do(command{Do: ack, Lane: l.LaneID, Through: l.Next + more, False: true})
	}
}

// read reads every lane.
func (s *session) read() {
	for _, l := range s.last.Lanes {
		s.do(command{Do: read, Lane: l.LaneID})
	}
}
