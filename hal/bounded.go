package hal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errPanicked means that a read ended in a panic: gopsutil, for one, indexes into kernel files without looking.
var errPanicked = errors.New("panicked")

// maxRunning is how many reads may be on their way at a time. Batteries that hang and come again under another name each
// time must not fill the memory with reads that never come back.
const maxRunning = 64

// bounded runs reads that may hang for ever, as a file of sysfs does when the bus behind it hangs. A caller waits for a
// read no longer than the limit; a hung read costs one goroutine in all, however often it is asked for again, and there
// are never more than maxRunning of them. It is safe for concurrent use.
type bounded[T any] struct {
	limit time.Duration

	mu      sync.Mutex          // guards running
	running map[string]*call[T] // by name, the reads that have not come back
}

// call is one read on its way. Its result is there when done is closed.
type call[T any] struct {
	done    chan struct{}
	expires time.Time
	value   T
	err     error
}

func newBounded[T any](limit time.Duration) *bounded[T] {
	return &bounded[T]{limit: limit, running: make(map[string]*call[T])}
}

// do returns what read returns, or ErrHung once the read with that name has run for the limit, or ctx's error. Callers
// that ask for the same name at the same time share one read, so that never more than one is on its way.
func (b *bounded[T]) do(ctx context.Context, name string, read func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	c, own := b.claim(name)
	if c == nil {
		return none, ErrHung
	}
	if own {
		go b.run(name, c, read)
	}
	return c.wait(ctx)
}

// wait returns what the read returns, or ErrHung when it expires, or ctx's error.
func (c *call[T]) wait(ctx context.Context) (T, error) {
	var none T
	timer := time.NewTimer(time.Until(c.expires))
	defer timer.Stop()
	select {
	case <-c.done:
		return c.value, c.err
	case <-timer.C:
		return none, ErrHung
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// claim returns the read with that name that is on its way, or one that the caller is to run. It returns none when too many
// hang.
func (b *bounded[T]) claim(name string) (c *call[T], own bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.running[name]; ok {
		return c, false
	}
	if len(b.running) >= maxRunning {
		return nil, false
	}
	c = &call[T]{done: make(chan struct{}), expires: time.Now().Add(b.limit)}
	b.running[name] = c
	return c, true
}

// run does a read that was claimed.
func (b *bounded[T]) run(name string, c *call[T], read func() (T, error)) {
	defer b.finish(name, c)
	c.value, c.err = read()
}

// finish ends a read that came back, or panicked, however late.
func (b *bounded[T]) finish(name string, c *call[T]) {
	if recover() != nil {
		c.err = fmt.Errorf("cannot read %s: %w", name, errPanicked)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, name)
	close(c.done)
}
