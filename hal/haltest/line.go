package haltest

import (
	"context"
	"sync"
	"time"

	"github.com/stampd/stampd/hal"
)

// Switch is a switch on a line that does as it is told. It is safe for concurrent use.
type Switch struct {
	mu     sync.Mutex // guards all below
	active bool
	moves  uint64 // how often it moved
	err    error
	silent bool          // a wait is not told of err
	stir   chan struct{} // closed when something changes
	opened int
}

// NewSwitch returns a switch in that state.
func NewSwitch(active bool) *Switch { return &Switch{active: active, stir: make(chan struct{})} }

// Open opens its line. It fails with the error that the switch was told.
func (s *Switch) Open() (hal.Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.opened++
	return &switchLine{of: s, seen: s.moves, closed: make(chan struct{})}, nil
}

// Opened returns how many lines are open.
func (s *Switch) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Move moves the switch. To move it to where it is counts as a move, there and back.
func (s *Switch) Move(active bool) {
	s.change(func() { s.active = active; s.moves++ })
}

// Slip moves the switch without an edge, as when a chip loses one.
func (s *Switch) Slip(active bool) {
	s.change(func() { s.active = active })
}

// Fail makes the line fail, and with nil work again. A line that was open stays broken, as that of a chip that went.
func (s *Switch) Fail(err error) { s.change(func() { s.err, s.silent = err, false; s.moves++ }) }

// FailSilently makes the line fail, and does not tell those who wait: kernels before 6.7 don't.
func (s *Switch) FailSilently(err error) { s.change(func() { s.err, s.silent = err, true }) }

func (s *Switch) change(how func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how()
	close(s.stir)
	s.stir = make(chan struct{})
}

// switchLine is one open line of a switch.
type switchLine struct {
	of     *Switch
	seen   uint64 // moves that a wait told of
	broken error
	once   sync.Once
	closed chan struct{}
}

// Read returns the state.
func (l *switchLine) Read() (bool, error) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if err := l.failure(false); err != nil {
		return false, err
	}
	return l.of.active, nil
}

// failure returns why the line does not work. The switch's mutex must be held.
func (l *switchLine) failure(waiting bool) error {
	select {
	case <-l.closed:
		return hal.ErrGone
	default:
	}
	if l.broken == nil && (!waiting || !l.of.silent) {
		l.broken = l.of.err
	}
	return l.broken
}

// Wait waits for a move.
func (l *switchLine) Wait(ctx context.Context, timeout time.Duration) (bool, error) {
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	for {
		l.of.mu.Lock()
		stir, moved, err := l.of.stir, l.of.moves != l.seen, l.failure(true)
		l.seen = l.of.moves
		l.of.mu.Unlock()
		if err != nil || moved || timeout <= 0 {
			return moved && err == nil, err
		}
		select {
		case <-stir:
		case <-limit.C:
			return false, nil
		case <-ctx.Done():
			return false, nil
		case <-l.closed:
		}
	}
}

// Close closes the line.
func (l *switchLine) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.of.mu.Lock()
		defer l.of.mu.Unlock()
		l.of.opened--
	})
	return nil
}
