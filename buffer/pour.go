package buffer

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// mustPour reports whether a batch has to go into the file rather than into the journal: it writes to the file itself,
// the file is nearly full, or there is no journal to go on with.
func (c *commit) mustPour(batch []*op) bool {
	q := c.q
	if q.journal == nil || q.mustPourFirst() {
		return true
	}
	ledger := true
	for _, o := range batch {
		if o.internal != nil && !o.journal {
			return true
		}
		ledger = ledger && o.internal == nil
	}
	q.mu.Lock()
	held := q.held.size
	q.mu.Unlock()
	return c.used()+held+q.journal.size/2 >= c.room(ledger) // a leaf may be half full
}

// pour makes this a commit of the file, which takes over what the journal holds.
func (c *commit) pour() error {
	if err := c.tx.Rollback(); err != nil {
		return err
	}
	c.q.mu.Lock()
	held, generation := c.q.held, c.q.generation+1
	c.q.mu.Unlock()
	rows, err := c.pourAhead(held)
	if err != nil {
		return err
	}
	if c.tx, err = c.q.begin(true); err != nil {
		return err
	}
	c.poured = true
	if err := c.store(held, rows); err != nil {
		return err
	}
	meta := c.tx.Bucket(bucketMeta)
	if c.q.journal == nil {
		if err := meta.Delete(metaJournaled); err != nil {
			return err
		}
	}
	return meta.Put(metaJournal, binary.BigEndian.AppendUint64(nil, generation))
}

// pourRows is how many rows one transaction of the file writes: keys are random, so each may change a page of its own, and
// bbolt holds all of them in memory.
const pourRows = 512

// pourAhead writes the rows of an overlay to the file, in transactions of their own, but for the last ones, whose names it
// returns. Until the journal's generation follows, they are in both places.
func (c *commit) pourAhead(o *overlay) ([]rowName, error) {
	names := slices.Sorted(maps.Keys(o.rows)) // a leaf takes what comes in order at its end
	for len(names) > pourRows {
		err := c.q.metasThere()
		if err == nil {
			err = c.q.db.Update(func(tx *bolt.Tx) error { return c.storeRows(tx, o, names[:pourRows]) })
		}
		if err != nil {
			return nil, err
		}
		names = names[pourRows:]
	}
	return names, nil
}

func (c *commit) storeRows(tx *bolt.Tx, o *overlay, names []rowName) error {
	for _, n := range names {
		c.q.resident.saw(tx, lookupBytes)
		b := tx.Bucket(n.bucket().name())
		if value := o.rows[n]; value == nil {
			if err := b.Delete(n.key()); err != nil {
				return err
			}
		} else if err := b.Put(n.key(), value); err != nil {
			return err
		}
	}
	return nil
}

// store writes an overlay, and of its rows those with the given names, to the file. Records that the backend has by now are
// left out.
func (c *commit) store(o *overlay, rows []rowName) error {
	for id, t := range o.lanes {
		told, acked := c.watermarks(id)
		b := recordBucket(c.tx, id.Lane)
		b.FillPercent = 1 // keys only ever grow
		for _, r := range t.records {
			if r.seq <= told {
				continue
			}
			if err := b.Put(recordKey(id, r.seq), r.value); err != nil {
				return err
			}
		}
		if id == c.ledger.id || told == math.MaxUint64 {
			continue // written with the commit, or gone
		}
		row := t.row
		row.acked = max(row.acked, acked, c.trims[id].acked)
		if err := row.put(c.tx); err != nil {
			return err
		}
	}
	if err := c.storeRows(c.tx, o, rows); err != nil {
		return err
	}
	for _, n := range joinNotes(o.notes) {
		if err := c.keep(n); err != nil {
			return err
		}
	}
	return nil
}

// watermarks returns how far the backend has a lane, and up to where the file has let go of it. A lane that is gone, the
// backend has to its end.
func (c *commit) watermarks(id LaneID) (told, acked uint64) {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	l := c.q.lanes[id]
	if l == nil {
		return math.MaxUint64, 0
	}
	return l.told, l.acked
}

// poured notes that the file has everything, and begins the journal anew. q.mu is held.
func (q *Queue) poured(c *commit) {
	for _, o := range []*overlay{q.held, c.staged} {
		for id, t := range o.lanes {
			if l := q.lanes[id]; l != nil {
				l.stored = max(l.stored, t.row.next-1)
			}
		}
	}
	q.pourFirst = false
	q.held = newOverlay()
	q.generation++
	if q.journal != nil {
		q.journal.restart(q.generation)
	}
}

func (q *Queue) mustPourFirst() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pourFirst
}
