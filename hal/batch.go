package hal

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// reader does one of the reads of a batch, as bounded.do would.
type reader[T any] func(name string, read func() (T, error)) (T, error)

// batch returns what work returns, which may do as many reads as it likes, each bounded by the limit. They are done one
// after the other in one goroutine, because each goroutine that is waited for wakes a thread; only a read that hangs has
// one to itself. work is run again then, with what is known so far, so it must depend on nothing but its reads. Once it
// has taken most, every read that is not known hangs. The error is ctx's, or that work panicked.
func batch[T, R any](ctx context.Context, b *bounded[T], most time.Duration, work func(do reader[T]) R) (R, error) {
	var none R
	over := time.Now().Add(most)
	known := make(map[string]outcome[T])
	for time.Now().Before(over) {
		if err := ctx.Err(); err != nil {
			return none, err
		}
		w := &walk[T]{bounded: b, known: known}
		done := make(chan outcome[R], 1)
		go func() { done <- survived(func() R { return work(w.do) }) }()
		timer := time.NewTimer(min(b.limit, time.Until(over)))
		for known = nil; known == nil; {
			select {
			case r := <-done:
				timer.Stop()
				return r.value, r.err
			case <-ctx.Done():
				timer.Stop()
				w.leave()
				return none, ctx.Err()
			case now := <-timer.C:
				var pause time.Duration
				if known, pause = w.hung(now, over); known == nil {
					timer.Reset(pause)
				}
			}
		}
	}
	return work((&walk[T]{bounded: b, known: known, left: true}).do), nil
}

// survived returns what work returns, or that it panicked.
func survived[R any](work func() R) (r outcome[R]) {
	defer func() {
		if recover() != nil {
			r.err = fmt.Errorf("cannot read a part: %w", errPanicked)
		}
	}()
	r.value = work()
	return r
}

// walk is one run of the work of a batch.
type walk[T any] struct {
	bounded *bounded[T]

	mu      sync.Mutex            // guards all below
	known   map[string]outcome[T] // by name, what was read
	name    string                // of the read that is on its way
	expires time.Time             // when that hangs; zero when none is
	left    bool                  // nobody waits for this run
}

// outcome is what a read returned.
type outcome[T any] struct {
	value T
	err   error
}

// do does a read that is not known yet.
func (w *walk[T]) do(name string, read func() (T, error)) (T, error) {
	w.mu.Lock()
	got, known := w.known[name]
	if known || w.left {
		w.mu.Unlock()
		if !known {
			got.err = ErrHung
		}
		return got.value, got.err
	}
	c, own := w.bounded.claim(name)
	if c == nil { // too many hang
		w.mu.Unlock()
		return got.value, ErrHung
	}
	w.name, w.expires = name, c.expires
	w.mu.Unlock()
	if own {
		w.bounded.run(name, c, read)
		got = outcome[T]{c.value, c.err}
	} else {
		got.value, got.err = c.wait(context.Background())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expires = time.Time{}
	if !w.left {
		w.known[name] = got
	}
	return got.value, got.err
}

// leave has the run end without another read.
func (w *walk[T]) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = true
}

// hung leaves the run when its read hangs, or it is over, and returns what is known then; else how long to wait.
func (w *walk[T]) hung(now, over time.Time) (known map[string]outcome[T], pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	expires := w.expires
	if expires.IsZero() {
		expires = now.Add(w.bounded.limit)
	}
	if expires.After(over) {
		expires = over
	}
	if now.Before(expires) {
		return nil, expires.Sub(now)
	}
	w.left = true
	known = maps.Clone(w.known)
	if !w.expires.IsZero() {
		known[w.name] = outcome[T]{err: ErrHung}
	}
	return known, 0
}
