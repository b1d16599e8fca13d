package buffer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// keptChunk is how many notes' rows go at a time when room is needed.
const keptChunk = 64

// note says which rows of a transaction may go once the backend has the records up to seq of the lane with the given
// ordinal: ordinal(8) ‖ seq(8) ‖ { bucket(1) ‖ length(2) ‖ key }. It is nil when there are none.
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
	return v
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

// letGo removes the oldest kept rows whose records the backend has.
func (c *commit) letGo() error {
	b := c.tx.Bucket(bucketKept)
	for range keptChunk {
		k, v := b.Cursor().First()
		if k == nil {
			break
		}
		if len(v) < noteHead {
			return fmt.Errorf("%w: a note on kept rows is unreadable", errDamaged)
		}
		if !c.q.stored(binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])) {
			break
		}
		c.dirty = true
		if err := c.removeKept(v[noteHead:]); err != nil {
			return err
		}
		c.freed += int64(len(k) + len(v))
		if err := b.Delete(append([]byte(nil), k...)); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) removeKept(rows []byte) error {
	rows = append([]byte(nil), rows...) // deleting moves what the file's pages hold
	for len(rows) >= 3 {
		bucket, n := Bucket(rows[0]), int(binary.BigEndian.Uint16(rows[1:]))
		if len(rows) < 3+n || bucket < Keys || bucket > Entries {
			return fmt.Errorf("%w: a note on kept rows is unreadable", errDamaged)
		}
		key := rows[3 : 3+n]
		rows = rows[3+n:]
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
