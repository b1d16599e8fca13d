// Package group lets callers that arrive together share one commit.
//
// A lone caller commits at once and never waits for company. What arrives while a commit is on its way goes, all of
// it, into the next one. There is no timer and nothing to tune: the disk's own speed sets the size of a batch.
//
// The queue on the terminal and the log of the backend use it. It knows nothing of what is committed.
package group

import (
	"context"
	"errors"
	"sync"
)

// ErrAborted is what the callers of a batch get when its commit panicked: nothing is known of their items.
var ErrAborted = errors.New("commit was aborted")

// Group shares commits among its callers. It is safe for concurrent use.
type Group[T any] struct {
	commit func(batch []T) error

	mu   sync.Mutex // guards busy and next
	busy bool       // a commit is on its way
	next *batch[T]  // what goes into the one after it; nil when nothing waits
}

type batch[T any] struct {
	items []T
	turn  chan struct{} // closed when the batch's first caller may commit
	done  chan struct{} // closed after the commit
	err   error         // the commit's result, set before done is closed
}

// New returns a group that stores batches by calling commit, from one goroutine at a time. What a single item comes to
// is for commit to leave in the item; what it returns is told to every caller of the batch.
func New[T any](commit func(batch []T) error) *Group[T] {
	return &Group[T]{commit: commit}
}

// Do puts item into a commit and returns that commit's result. When ctx ends while the item waits for an earlier
// commit, Do returns ctx's error; the item may be committed all the same.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		b := &batch[T]{items: []T{item}, done: make(chan struct{})}
		g.run(b)
		return b.err
	}
	b, first := g.next, g.next == nil
	if first {
		b = &batch[T]{turn: make(chan struct{}), done: make(chan struct{})}
		g.next = b
	}
	b.items = append(b.items, item)
	g.mu.Unlock()

	if first {
		// The first caller commits for all that join it, so it can't leave before.
		<-b.turn
		g.mu.Lock()
		g.next = nil
		g.mu.Unlock()
		g.run(b)
		return b.err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run commits b, and then hands over to the next batch.
func (g *Group[T]) run(b *batch[T]) {
	defer func() {
		g.mu.Lock()
		if g.next != nil {
			close(g.next.turn)
		} else {
			g.busy = false
		}
		g.mu.Unlock()
		close(b.done)
	}()
	b.err = ErrAborted // what the others are told when commit panics
	b.err = g.commit(b.items)
}
