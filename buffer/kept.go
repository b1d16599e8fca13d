package buffer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// keptChunk is how many notes' rows go at a time when room is needed.
const keptChunk = 64

// until is what stands in a note in place of a bucket before the time until which its rows are wanted.
const until = 0

// note says which rows of a transaction may go once the backend has the records up to seq of the lane with the given
// ordinal: ordinal(8) ‖ seq(8) ‖ { bucket(1) ‖ length(2) ‖ key }. A bucket of 0 has a time(8) for a key: until when the rows are
// wanted. It is nil when there are none.
func (t *Tx) note(ordinal, seq uint64) []byte {
	v := binary.BigEndian.AppendUint64(nil, ordinal)
	v = binary.BigEndian.AppendUint64(v, seq)
	for _, w := range t.writes {
		if w.kept {
			v = append(v, byte(w.bucket))
			v = binary.BigEndian.AppendUint16(v, uint16(len(w.key)))
			v = append(v, w.key...)
		}
	}
	if len(v) == noteHead {
		return nil
	}
	if t.until > 0 {
		v = append(v, until, 0, 8)
		v = binary.BigEndian.AppendUint64(v, uint64(t.until))
	}
	return v
}

// wantedUntil returns until when rows of a note are wanted, false when it does not say.
func wantedUntil(rows []byte) (at int64, known bool) {
	for len(rows) >= 3 {
		n := int(binary.BigEndian.Uint16(rows[1:]))
		if len(rows) < 3+n {
			return 0, false
		}
		if rows[0] == until && n == 8 {
			at, known = max(at, int64(binary.BigEndian.Uint64(rows[3:]))), true
		}
		rows = rows[3+n:]
	}
	return at, known
}

// noteHead is a note's ordinal and seq.
const noteHead = 8 + 8

// noteSize is up to how many bytes notes are joined.
const noteSize = 1 << 10

// joinNotes puts notes that follow each other into one, which holds from the last one's seq on: a row each would cost more
// than what is in it.
func joinNotes(notes [][]byte) [][]byte {
	var joined [][]byte
	for _, n := range notes {
		if len(joined) > 0 {
			last := joined[len(joined)-1]
			if bytes.Equal(last[:8], n[:8]) && len(last)+len(n) <= noteSize {
				copy(last[8:noteHead], n[8:noteHead])
				joined[len(joined)-1] = append(last, n[noteHead:]...)
				continue
			}
		}
		joined = append(joined, slices.Clone(n))
	}
	return joined
}

// keep stores a note under the next number.
func (c *commit) keep(note []byte) error {
	b := c.tx.Bucket(bucketKept)
	b.FillPercent = 1 // keys only ever grow
	next := uint64(1)
	if last, _ := b.Cursor().Last(); len(last) == 8 {
		next = binary.BigEndian.Uint64(last) + 1
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, next), note)
}

// letGo removes the oldest kept rows whose records the backend has, and reports whether there were any. Rows that are still
// wanted, or may be, stay unless urgent is set. now is 0 when nobody knows what time it is.
func (c *commit) letGo(now int64, urgent bool) (gone bool, err error) {
	b := c.tx.Bucket(bucketKept)
	notes, err := c.spentNotes(b)
	if err != nil {
		return false, err
	}
	if !urgent {
		notes = notes[:unwanted(notes, now)]
	}
	for _, n := range notes {
		c.dirty = true
		if err := c.removeKept(n.value[noteHead:]); err != nil {
			return false, err
		}
		c.freed += int64(len(n.key) + len(n.value))
		if err := b.Delete(n.key); err != nil {
			return false, err
		}
	}
	return len(notes) > 0, nil
}

// spentNotes returns the oldest notes, as long as the backend has what they hold for.
func (c *commit) spentNotes(b *bolt.Bucket) (notes []element, err error) {
	cur := b.Cursor()
	for k, v := cur.First(); k != nil && len(notes) < keptChunk; k, v = cur.Next() {
		if len(v) < noteHead {
			return nil, fmt.Errorf("%w: a note on kept rows is unreadable", errDamaged)
		}
		if !c.q.stored(binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])) {
			break
		}
		notes = append(notes, element{key: slices.Clone(k), value: slices.Clone(v)})
	}
	return notes, nil
}

// unwanted returns how many of the notes, from the first, are of rows that nobody wants any more. One of unknown time was made
// before those that follow it, and is wanted for no longer than they are.
func unwanted(notes []element, now int64) int {
	for i, n := range slices.Backward(notes) {
		at, said := wantedUntil(n.value[noteHead:])
		if !said || at < math.MaxInt64 && now > 0 && at <= now {
			return i + 1
		}
	}
	return 0
}

func (c *commit) removeKept(rows []byte) error {
	rows = append([]byte(nil), rows...) // deleting moves what the file's pages hold
	for len(rows) >= 3 {
		bucket, n := Bucket(rows[0]), int(binary.BigEndian.Uint16(rows[1:]))
		if len(rows) < 3+n || bucket > Entries {
			return fmt.Errorf("%w: a note on kept rows is unreadable", errDamaged)
		}
		key := rows[3 : 3+n]
		rows = rows[3+n:]
		if bucket == until {
			continue
		}
		c.q.resident.saw(c.tx, lookupBytes)
		b := c.tx.Bucket(bucket.name())
		c.freed += int64(n + len(b.Get(key)))
		if err := b.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// stored reports whether the backend has the ledger's records up to seq of the lane with that ordinal. A lane that is
// gone was stored to its end.
func (q *Queue) stored(ordinal, seq uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lanes {
		if l.id.Lane == Ledger && l.ordinal == ordinal {
			return l.told >= seq
		}
	}
	return true
}
