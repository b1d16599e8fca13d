package buffer

import (
	"context"
	"errors"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// trimChunk bounds how many acknowledged records one commit removes, so that no caller waits long for the removal of
// an outage's backlog.
const trimChunk = 1024

// op is one caller's wish, and what became of it.
type op struct {
	fn       func(*Tx) error      // a caller's writes; its error undoes them and nothing else
	internal func(*commit) error  // the queue's own writes; its error undoes the commit
	journal  bool                 // what internal writes may go into the journal, else it is for the file
	err      error                // what fn returned, or that there was no room
	done     func(committed bool) // told in the end, with the queue's lock held; may be nil
}

// commit is one step of the queue, on behalf of a batch of ops. It goes into the journal, or, together with everything
// that the journal holds, into the file.
type commit struct {
	q          *Queue
	tx         *bolt.Tx              // of the file: to read, or to write when poured is set
	poured     bool                  // the file takes over what the journal holds
	turned     bool                  // q.turn is locked
	ledger     laneRecord            // the ledger lane as it will be
	generation uint64                // the journal's, before
	staged     *overlay              // what the callers wrote
	trims      map[LaneID]laneRecord // lanes whose acknowledged records were removed, as they will be
	dirty      bool                  // something was written
	freed      int64                 // bytes of records removed, roughly
	evicted    []eviction
}

// Update calls fn with a transaction. When Update returns nil, what fn wrote and appended is on disk (fdatasync) and
// stays there until the backend has stored it. An error of fn undoes what fn did and is returned as it is; any other
// error is one of this package's causes. Callers that arrive together share a commit; fn runs alone, on any of their
// goroutines, and must not block. When ctx ends before the commit, the outcome is not known.
func (q *Queue) Update(ctx context.Context, fn func(*Tx) error) error {
	return q.do(ctx, &op{fn: fn})
}

func (q *Queue) do(ctx context.Context, o *op) error {
	if err := q.group.Do(ctx, o); err != nil {
		return classify("store in the queue", err)
	}
	return o.err
}

// commitBatch is what the group calls, from one goroutine at a time.
func (q *Queue) commitBatch(batch []*op) error {
	if err := q.ensureOpen(); err != nil {
		return err
	}
	if err := q.ensureThere(); err != nil {
		return err
	}
	q.file.RLock()
	c, err := q.transact(batch)
	q.tell(c, batch, err)
	q.file.RUnlock()
	if err != nil {
		q.fail(err)
		if c.turned && !q.unchangedSince(c.generation) {
			err = unknownOutcome(err)
		}
	}
	return err
}

// unchangedSince opens the file after a failed commit to it, and reports whether it is as it was.
func (q *Queue) unchangedSince(generation uint64) bool {
	if q.ensureOpen() != nil {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.generation == generation
}

// tell makes the outcome of a commit known.
func (q *Queue) tell(c *commit, batch []*op, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && c.dirty {
		q.commits++
		q.publish(c)
	}
	if c.turned {
		q.turn.Unlock()
	}
	for _, o := range batch {
		if o.done != nil {
			o.done(err == nil && o.err == nil)
		}
	}
}

// transact runs the batch in one commit. When the commit says turned, q.turn is left locked.
func (q *Queue) transact(batch []*op) (*commit, error) {
	c := &commit{q: q, trims: map[LaneID]laneRecord{}, staged: newOverlay()}
	if q.db == nil {
		return c, q.why()
	}
	q.mu.Lock()
	c.ledger, c.generation = q.ledger.laneRecord, q.generation
	q.mu.Unlock()
	err := guarded(func() error {
		defer func() {
			if c.tx != nil {
				_ = c.tx.Rollback() // does nothing after Commit
			}
		}()
		var err error
		if c.tx, err = q.begin(false); err != nil {
			return err
		}
		if c.mustPour(batch) {
			if err := c.pour(); err != nil {
				return err
			}
		}
		for _, o := range batch {
			if err := c.apply(o); err != nil {
				return err
			}
		}
		if !c.dirty {
			return nil
		}
		if !c.poured {
			if done, err := q.journal.write(c.staged); done || err != nil {
				return err
			}
			if err := c.pour(); err != nil {
				return err
			}
		}
		return c.finish()
	})
	return c, err
}

// finish writes what the callers wrote to the file and ends the transaction.
func (c *commit) finish() error {
	if err := c.store(c.staged, slices.Sorted(maps.Keys(c.staged.rows))); err != nil {
		return err
	}
	if err := c.trim(trimChunk); err != nil {
		return err
	}
	if c.ledger.next > 1 { // else nobody has appended since the file was opened
		if err := c.ledger.put(c.tx); err != nil {
			return err
		}
	}
	c.q.turn.Lock() // readers see what the journal held in one of the two places
	c.turned = true
	size := c.tx.Size()
	if err := c.tx.Commit(); err != nil {
		return err
	}
	c.q.backing.extend(size, 0)
	c.q.resident.letGo(c.q.db, size)
	return nil
}

// apply runs one op inside the transaction. What it returns undoes the whole commit.
func (c *commit) apply(o *op) error {
	if o.internal != nil {
		err := o.internal(c)
		if errors.Is(err, ErrFull) { // said before anything is written: nobody else's concern
			o.err, err = classify("store telemetry in the queue", err), nil
		}
		return err
	}
	t := &Tx{c: c, epoch: c.ledger.id.Epoch, next: c.ledger.next}
	if o.err = o.fn(t); o.err != nil {
		return nil
	}
	if len(t.records) == 0 && len(t.writes) == 0 {
		return nil
	}
	if c.poured { // else there is room
		if c.used() >= c.q.backing.limit-c.q.opts.LedgerReserve {
			if _, err := c.letGo(t.now, false); err != nil { // what is kept for convenience leaves telemetry its room
				return err
			}
		}
		if err := c.makeRoom(t.size(), true); err != nil {
			o.err = classify("store in the queue", err)
			return nil
		}
	}
	c.dirty = true
	for _, r := range t.records {
		seq := c.ledger.next
		c.ledger.head = c.ledger.head.extend(seq, r.Bytes())
		c.ledger.next++
		c.staged.append(c.ledger, seq, c.q.sealer.seal(c.ledger.id, seq, c.ledger.head, r.Bytes()))
	}
	for _, w := range t.writes {
		c.staged.put(nameRow(w.bucket, w.key), w.value)
	}
	if note := t.note(c.ledger.ordinal, c.ledger.next-1); note != nil {
		c.staged.notes = append(c.staged.notes, note)
	}
	return nil
}

// publish makes a commit's outcome what everybody sees. q.mu is held.
func (q *Queue) publish(c *commit) {
	grown := c.ledger.next != q.ledger.next
	q.ledger.laneRecord = c.ledger
	if c.poured {
		q.poured(c)
	} else {
		q.held.merge(c.staged)
	}
	for _, e := range c.evicted {
		q.dropped += e.count
		if l := q.lanes[e.id]; l != nil {
			l.oldest = max(l.oldest, e.oldest)
		}
	}
	for id, r := range c.trims {
		l := q.lanes[id]
		if l == nil {
			continue
		}
		l.acked = r.acked
		l.oldest = max(l.oldest, min(r.acked+1, l.next))
		if l != q.ledger && l != q.current && r.acked+1 >= l.next {
			delete(q.lanes, id)
		}
	}
	if grown {
		q.wake()
	}
}
