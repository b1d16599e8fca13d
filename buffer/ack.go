package buffer

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// Reject names a record that the backend refused, and why. The reason reaches the disk.
type Reject struct {
	Seq    uint64
	Reason uint8
}

// Ack notes that the backend has stored, or refused by name, everything of a lane through a seq. What it refused is
// put into quarantine first, durably; the rest is removed from the file with one of the next commits. An ack that is
// older than what is known already does nothing. One for records that were never made gives [ErrFalseAck] and
// does nothing, if the epoch is one of this process; in an earlier one it means that the file has gone back.
func (q *Queue) Ack(ctx context.Context, id LaneID, through uint64, rejects []Reject) error {
	q.mu.Lock()
	l := q.lanes[id]
	if l == nil {
		q.mu.Unlock()
		return nil // drained before
	}
	if given, own := q.given[id]; through >= l.next && l != q.ledger && l != q.current && (!own || through < given) {
		// The file is older than what the backend has seen of it: everything that is left of the epoch was stored.
		q.log.Error().Stringer("lane", id).Uint64("has", l.next-1).Uint64("backend", through).Msg("queue file has gone back in time")
		through = l.next - 1
	}
	if through >= l.next {
		q.mu.Unlock()
		return fmt.Errorf("%w: %v through %d, the last one is %d", ErrFalseAck, id, through, l.next-1)
	}
	told := l.told
	q.mu.Unlock()
	if through <= told {
		return nil
	}
	if len(rejects) > 0 {
		if err := q.quarantine(ctx, id, rejects); err != nil {
			return err
		}
	}

	q.mu.Lock()
	if l = q.lanes[id]; l == nil { // the file was opened anew meanwhile
		q.mu.Unlock()
		return nil
	}
	l.told = max(l.told, min(through, l.next-1))
	if l == q.current {
		n := 0
		for n < len(q.memory) && q.memory[n].seq <= through {
			q.memoryBytes -= len(q.memory[n].payload) + recordOverhead
			n++
		}
		q.forget(n)
	}
	q.mu.Unlock()
	if q.untrimmed() >= trimBacklog {
		q.kickKeeper()
	}
	return nil
}

// Rewind takes back acknowledgements after a seq, for a backend that has lost what it had acknowledged: what the file still
// holds of it counts as waiting again. What is gone is gone; the uplink declares it.
func (q *Queue) Rewind(id LaneID, after uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lanes[id]
	if l == nil || after >= l.told {
		return
	}
	l.told = max(after, l.acked)
	l.oldest = min(l.oldest, l.acked+1)
	q.wake()
}

// quarantine copies refused records, sealed as they are, to where they block nothing.
func (q *Queue) quarantine(ctx context.Context, id LaneID, rejects []Reject) error {
	var added uint64
	return q.do(ctx, &op{
		internal: func(c *commit) error {
			b := c.tx.Bucket(bucketQuarantine)
			for _, r := range rejects {
				value := q.sealed(c.tx, id, r.Seq)
				if value == nil {
					continue
				}
				key := quarantineKey(id, r.Seq)
				if b.Get(key) == nil {
					added++
				}
				c.dirty = true
				if err := b.Put(key, append([]byte{r.Reason}, value...)); err != nil {
					return err
				}
			}
			return nil
		},
		done: func(committed bool) {
			if committed {
				q.quarantined += added
			}
		},
	})
}

// sealed returns a record's value in the file, or what it would be.
func (q *Queue) sealed(tx *bolt.Tx, id LaneID, seq uint64) []byte {
	if v := recordBucket(tx, id.Lane).Get(recordKey(id, seq)); v != nil {
		return v
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if id != q.current.id {
		return nil
	}
	for _, m := range q.memory {
		if m.seq == seq {
			return q.sealer.seal(id, seq, head{}, m.payload)
		}
	}
	return nil
}
