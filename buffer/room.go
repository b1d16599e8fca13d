package buffer

import (
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// trimBacklog is how many acknowledged records may lie in the file before they are removed without waiting for an
// append to share its commit with.
const trimBacklog = 4 * trimChunk

// pathBytes is what the pages take up that a commit writes anew on the way from what it changes to the root, roughly.
const pathBytes = 64 << 10

// evictChunk is how many of the oldest telemetry records make room at a time.
const evictChunk = 64

// onDisk reports whether the file may hold records of the lane.
func (l *lane) onDisk() bool { return l.stored > l.acked }

// spent reports whether the lane is one of an earlier epoch, and the backend knows all of it. q.mu is held.
func (q *Queue) spent(l *lane) bool {
	return l != q.ledger && l != q.current && l.told+1 >= l.next
}

// trimAll removes what was acknowledged, in commits of its own, each of which takes what any commit to the file takes, until
// no more than leave records are left to remove.
func (q *Queue) trimAll(ctx context.Context, leave uint64) error {
	for q.untrimmed() > leave {
		err := q.do(ctx, &op{internal: func(c *commit) error { c.dirty = true; return nil }})
		if err != nil {
			return err
		}
	}
	return nil
}

// untrimmed returns how many acknowledged records the file may still hold.
func (q *Queue) untrimmed() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	var n uint64
	for _, l := range q.lanes {
		n += l.untrimmed()
	}
	return n
}

// trim removes up to limit records that the backend has acknowledged, and the rows of lanes that are done.
func (c *commit) trim(limit int) error {
	c.q.mu.Lock()
	var lanes []laneRecord
	var told []uint64
	for _, l := range c.q.lanes {
		through := min(l.told, l.stored)
		if l.id.Lane == Ledger {
			through = l.told // what was in the journal, this commit has put into the file or left out
		}
		if through > l.acked || c.q.spent(l) {
			lanes, told = append(lanes, l.laneRecord), append(told, through)
		}
	}
	current := c.q.current.id
	c.q.mu.Unlock()

	for i, r := range lanes {
		if r.id == c.ledger.id {
			r = c.ledger
		}
		if t, ok := c.trims[r.id]; ok {
			r.acked = t.acked
		}
		n, err := c.remove(&r, told[i], limit)
		if err != nil {
			return err
		}
		c.dirty = true
		limit -= n
		c.trims[r.id] = r
		switch {
		case r.id == c.ledger.id:
			c.ledger = r // written with the commit
		case r.id != current && r.acked+1 >= r.next:
			if err := c.tx.Bucket(bucketLanes).Delete(r.key()); err != nil {
				return err
			}
		default:
			if err := c.putTrimmed(r); err != nil {
				return err
			}
		}
		if limit <= 0 {
			return nil
		}
	}
	return nil
}

// putTrimmed stores a telemetry lane's new watermark and leaves the rest of its row, which a spill in this very commit
// may have written, as it is.
func (c *commit) putTrimmed(r laneRecord) error {
	if v := c.tx.Bucket(bucketLanes).Get(r.key()); v != nil {
		stored, err := parseLaneRecord(r.key(), v)
		if err != nil {
			return err
		}
		stored.acked = min(r.acked, stored.next-1)
		r = stored
	}
	return r.put(c.tx)
}

// remove deletes up to limit records of r through the given seq and moves r.acked along.
func (c *commit) remove(r *laneRecord, through uint64, limit int) (int, error) {
	b := recordBucket(c.tx, r.id.Lane)
	keys, next := c.oldest(b, *r, through, limit)
	for _, k := range keys {
		size := len(b.Get(k)) + len(k)
		c.q.resident.saw(c.tx, size)
		c.freed += int64(size)
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	r.acked = next - 1
	return len(keys), nil
}

// oldest returns the keys of up to limit records of r through the given seq, and the seq up to which, not included,
// the file then holds none.
func (c *commit) oldest(b *bolt.Bucket, r laneRecord, through uint64, limit int) (keys [][]byte, next uint64) {
	first := recordKey(r.id, r.acked+1)
	prefix := string(first[:len(first)-8])
	cur := b.Cursor()
	for k, _ := cur.Seek(first); len(k) == len(first) && string(k[:len(k)-8]) == prefix; k, _ = cur.Next() {
		seq := binary.BigEndian.Uint64(k[len(k)-8:])
		if seq > through {
			break
		}
		if len(keys) == limit {
			return keys, seq
		}
		keys = append(keys, append([]byte(nil), k...))
	}
	return keys, through + 1
}

// room returns how many bytes of the file may be in use: for telemetry fewer than for the ledger.
func (c *commit) room(ledger bool) int64 { return c.q.backing.room(c.q.opts.LedgerReserve, ledger) }

// makeRoom asks the disk for room and lets go of what may go, acknowledged records first and then the oldest telemetry,
// until need more bytes fit. When they can't, it returns [ErrFull].
func (c *commit) makeRoom(need int64, ledger bool) error {
	need += pathBytes
	if c.used()+need < c.room(ledger) {
		return nil
	}
	c.q.backing.extend(c.tx.Size(), need)
	if c.used()+need < c.room(ledger) {
		return nil
	}
	if err := c.trim(trimBacklog); err != nil {
		return err
	}
	for c.used()+need >= c.room(ledger) {
		freed, err := c.evict()
		if err != nil {
			return err
		}
		if !freed && ledger {
			if freed, err = c.letGo(0, true); err != nil {
				return err
			}
		}
		if !freed {
			return fmt.Errorf("%w (it may use %d bytes)", ErrFull, c.room(ledger))
		}
	}
	return nil
}

// used returns how much of the file will be in use: free pages count as room, and so does what this commit removes; what
// is still to be written counts as well.
func (c *commit) used() int64 {
	stats := c.q.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(c.q.db.Info().PageSize)
	used := c.tx.Size() - free - c.freed + c.staged.size
	if !c.poured {
		c.q.mu.Lock()
		used += c.q.held.size
		c.q.mu.Unlock()
	}
	return used
}

// evict drops the oldest telemetry records in the file and reports whether there were any. What was dropped is known
// from the gap between the lane's watermark and its oldest record; the uplink declares it.
func (c *commit) evict() (bool, error) {
	b := c.tx.Bucket(bucketTelemetry)
	id, ok := c.oldestEpoch(b)
	if !ok {
		return false, nil
	}
	n := 0
	last := uint64(0)
	for range evictChunk {
		k, v := b.Cursor().Seek(id[:])
		if len(k) != len(id)+8 || string(k[:len(id)]) != string(id[:]) {
			break
		}
		last = binary.BigEndian.Uint64(k[len(id):])
		c.freed += int64(len(k) + len(v))
		if err := b.Delete(append([]byte(nil), k...)); err != nil {
			return false, err
		}
		n++
	}
	c.dirty = true
	c.evicted = append(c.evicted, eviction{LaneID{Telemetry, id}, last + 1, uint64(n)})
	return n > 0, nil
}

// eviction is a lane whose oldest records were dropped.
type eviction struct {
	id     LaneID
	oldest uint64 // the oldest seq that may be left
	count  uint64
}

// oldestEpoch returns the epoch with the lowest ordinal that has records in the file.
func (c *commit) oldestEpoch(b *bolt.Bucket) (Epoch, bool) {
	var found Epoch
	var lowest uint64
	ok := false
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	for _, l := range c.q.lanes {
		if l.id.Lane != Telemetry || ok && l.ordinal > lowest {
			continue
		}
		if k, _ := b.Cursor().Seek(l.id.Epoch[:]); len(k) > len(l.id.Epoch) && string(k[:len(l.id.Epoch)]) == string(l.id.Epoch[:]) {
			found, lowest, ok = l.id.Epoch, l.ordinal, true
		}
	}
	return found, ok
}
