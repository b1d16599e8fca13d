package hal

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// restDefault is how long a line must be at rest to count, unless its profile says otherwise.
	restDefault = 50 * time.Millisecond
	// settleLimit is how long a line may take to come to rest. No spring bounces so long.
	settleLimit = 2 * time.Second
	// unsteadyPause is how long a line that does not come to rest is left alone: a loose wire must not keep the processor
	// awake.
	unsteadyPause = 10 * time.Second
	// heartbeat is how often a line is looked at that tells of nothing: an edge may be lost, and a chip may go without a word.
	heartbeat = 10 * time.Second
	// reopenFirst and reopenMost are the pauses between attempts to open a line; each is twice the last.
	reopenFirst = time.Second
	reopenMost  = 5 * time.Second
	// contactPatience is how long a line may be gone before that is told of: a chip may be plugged out and in, and at the start
	// its driver may come late.
	contactPatience = 10 * time.Second
)

// Contact is the state of a switch: what its line says when it is at rest.
type Contact struct {
	Active  bool
	Err     error  // why the line can't be read: ErrGone, ErrTaken, ErrDenied, ErrUnsteady or ErrUnusable; Active means nothing then
	Changes uint32 // how often Active changed since the switch is watched; its first state is no change
}

// Reason returns why the line can't be read, in words that hold nothing from outside, or nothing when it can.
func (c Contact) Reason() string {
	if c.Err == nil {
		return ""
	}
	return reason(c.Err)
}

// contact watches a switch.
type contact struct {
	part string
	open func() (Line, error)
	rest time.Duration

	mu      sync.Mutex // guards what follows
	state   Contact
	watched bool      // there is a state
	failing time.Time // since when the line can't be read; zero when it can
	active  bool      // the last level that was known
	known   bool      // there was one

	told    Contact // touched only by watch
	hasTold bool
}

func newContact(part string, debounce time.Duration, open func() (Line, error)) *contact {
	if debounce <= 0 {
		debounce = restDefault
	}
	return &contact{part: part, rest: debounce, open: open}
}

// watch follows the switch until ctx ends, and tells of its first state and of each that differs from the last. When it
// returns the line is closed.
func (c *contact) watch(ctx context.Context, changed func(Contact)) {
	pause := reopenFirst
	for ctx.Err() == nil {
		line, err := c.open()
		if err == nil {
			opened := time.Now()
			err = c.follow(ctx, line, changed)
			_ = line.Close() // nothing was written
			if time.Since(opened) > reopenMost {
				pause = reopenFirst
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.set(err, false, changed)
		if !rest(ctx, pause) {
			return
		}
		pause = min(2*pause, reopenMost)
	}
}

// follow tells of the states of an open line until it fails or ctx ends.
func (c *contact) follow(ctx context.Context, line Line, changed func(Contact)) error {
	for {
		active, err := c.settle(ctx, line)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrUnsteady):
			c.set(ErrUnsteady, false, changed)
			if !rest(ctx, unsteadyPause) {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		c.set(nil, active, changed)
		if err := c.await(ctx, line, active); err != nil {
			return err
		}
	}
}

// await returns when the line may have changed, or fails. It looks at the line itself from time to time.
func (c *contact) await(ctx context.Context, line Line, active bool) error {
	for ctx.Err() == nil {
		edge, err := line.Wait(ctx, heartbeat)
		if err != nil || edge {
			return err
		}
		now, err := line.Read()
		if err != nil || now != active {
			return err
		}
	}
	return nil
}

// settle returns the level of a line once it did not move for as long as it must.
func (c *contact) settle(ctx context.Context, line Line) (bool, error) {
	for until := time.Now().Add(settleLimit); time.Now().Before(until); {
		if _, err := line.Wait(ctx, 0); err != nil { // forgets what moved so far
			return false, err
		}
		before, err := line.Read()
		if err != nil {
			return false, err
		}
		if !rest(ctx, c.rest) {
			return false, ctx.Err()
		}
		moved, err := line.Wait(ctx, 0)
		if err != nil {
			return false, err
		}
		after, err := line.Read()
		if err != nil {
			return false, err
		}
		if !moved && before == after {
			return after, nil
		}
	}
	return false, ErrUnsteady
}

// set takes in a state, and tells of it if it is another one than was told last.
func (c *contact) set(err error, active bool, changed func(Contact)) {
	state, due := c.take(err, active)
	if !due || c.hasTold && c.told.Active == state.Active && sameReason(c.told.Err, state.Err) {
		return
	}
	c.told, c.hasTold = state, true
	changed(state)
}

// take takes in a state, and returns it, and whether it is to be told of yet.
func (c *contact) take(err error, active bool) (state Contact, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Active, c.state.Err, c.watched = active, err, true
	if err != nil {
		if c.failing.IsZero() {
			c.failing = time.Now()
		}
		return c.state, errors.Is(err, ErrUnsteady) || time.Since(c.failing) >= contactPatience
	}
	c.failing = time.Time{}
	if c.known && c.active != active {
		c.state.Changes++
	}
	c.active, c.known = active, true
	return c.state, true
}

// now returns the state, and whether there is one.
func (c *contact) now() (Contact, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.watched
}

// sameReason tells whether two errors are both none, or both for the same reason.
func sameReason(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reason(a) == reason(b)
}

// rest waits, and returns false when ctx ended before the time was over.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
