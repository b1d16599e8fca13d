package buffer

import (
	"context"
	"time"

	"github.com/stampd/stampd/pci"
)

// memoryRecord is a telemetry record that is not on disk.
type memoryRecord struct {
	seq     uint64
	payload []byte
	since   time.Time
}

// recordOverhead is what a telemetry record costs in memory beside its payload, roughly.
const recordOverhead = 64

// AppendTelemetry takes a block of readings into memory and returns its seq. The block is written to the file when the
// backend has not acknowledged it within SpillAfter, and at Close; until then a power cut takes it, and its number is
// never used again. Only when memory for telemetry is used up does the call wait for the disk, and if the disk can't
// take it, the oldest telemetry is dropped.
func (q *Queue) AppendTelemetry(c pci.Clean) (uint64, error) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return 0, ErrClosed
	}
	seq := q.current.next
	q.current.next++
	q.memory = append(q.memory, memoryRecord{seq: seq, payload: c.Bytes(), since: time.Now()})
	q.memoryBytes += len(c.Bytes()) + recordOverhead
	first, full := len(q.memory) == 1, q.memoryBytes > q.opts.TelemetryMemory
	q.wake()
	q.mu.Unlock()

	switch {
	case full:
		q.spillOrShed()
	case first:
		q.kickKeeper()
	}
	return seq, nil
}

// spillOrShed writes telemetry to the file, or, if that can't be done, keeps memory within its limit.
func (q *Queue) spillOrShed() {
	if err := q.Spill(context.Background()); err != nil {
		q.log.Warn().Err(err).Msg("telemetry can't be written; the oldest is dropped when memory is used up")
		q.mu.Lock()
		q.shed()
		q.mu.Unlock()
	}
}

func (q *Queue) kickKeeper() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// shed drops the oldest telemetry in memory until the limit holds. q.mu is held.
func (q *Queue) shed() {
	n := 0
	for n < len(q.memory) && q.memoryBytes > q.opts.TelemetryMemory {
		q.memoryBytes -= len(q.memory[n].payload) + recordOverhead
		n++
	}
	q.dropped += uint64(n)
	q.forget(n)
}

// forget removes the first n records from memory; their bytes are accounted for already. q.mu is held.
func (q *Queue) forget(n int) {
	if n == 0 {
		return
	}
	clear(q.memory[:n]) // let go of the payloads
	q.memory = q.memory[n:]
	if len(q.memory) == 0 {
		q.memory = nil
	}
	q.current.oldest = max(q.current.oldest, q.oldestUnspilled())
}

// oldestUnspilled returns the seq of the first record in memory, or the next one when there is none; when records of
// the epoch are on disk, the current lane's oldest is among those instead. q.mu is held.
func (q *Queue) oldestUnspilled() uint64 {
	switch {
	case q.current.onDisk():
		return q.current.oldest
	case len(q.memory) > 0:
		return q.memory[0].seq
	}
	return q.current.next
}

// keep writes telemetry that has waited long enough, and removes what was acknowledged, until Close.
func (q *Queue) keep() {
	defer close(q.kept)
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-q.stop:
			return
		case <-q.kick:
		case <-timer.C:
		}
		if err := q.look(); err != nil {
			q.log.Debug().Err(err).Msg("queue's files are not there")
		}
		wait, spill := q.due(time.Now())
		if spill {
			q.spillOrShed()
		}
		if q.untrimmed() >= trimBacklog {
			if err := q.trimAll(context.Background(), trimChunk); err != nil {
				q.log.Warn().Err(err).Msg("acknowledged records stay in the queue file")
				wait = max(wait, retryEvery)
			}
		}
		timer.Reset(wait)
	}
}

// lookEvery is how often the queue makes sure that its files are there while nobody writes to them.
const lookEvery = time.Minute

// look is a commit of nothing.
func (q *Queue) look() error {
	return q.do(context.Background(), &op{internal: func(*commit) error { return nil }, journal: true})
}

// due says whether telemetry must be written now, and when to look again.
func (q *Queue) due(now time.Time) (wait time.Duration, spill bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = lookEvery
	if len(q.memory) > 0 {
		left := q.opts.SpillAfter - now.Sub(q.memory[0].since)
		spill = left <= 0
		if spill {
			left = max(q.opts.SpillAfter, retryEvery)
		}
		wait = min(max(left, time.Millisecond), lookEvery)
	}
	return wait, spill
}

// Spill writes all telemetry in memory to the disk now, in one commit: to the journal, unless it is too much for it. Nothing
// in memory is no error. On an error, one of this package's causes, all of it is in memory still. It is safe for concurrent
// use.
func (q *Queue) Spill(ctx context.Context) error {
	q.mu.Lock()
	size := int64(q.memoryBytes)
	q.mu.Unlock()
	if size == 0 {
		return nil
	}
	s := &spilling{q: q}
	return q.do(ctx, &op{internal: s.write, journal: size < journalSize(q.opts.MaxSize)/4, done: s.written})
}

// spilling is one move of telemetry from memory to the disk.
type spilling struct {
	q    *Queue
	row  laneRecord
	last uint64 // the last seq that was written; 0 when there was nothing to write
}

// write puts what is in memory now into the commit. Commits run one at a time, and so do moves.
func (s *spilling) write(c *commit) error {
	q := s.q
	q.mu.Lock()
	records, size := q.memory, int64(q.memoryBytes)
	s.row = q.current.laneRecord
	if s.row.ordinal == 0 {
		s.row.ordinal = q.ordinal + 1
		s.row.acked = q.current.told // nothing was on disk before
	}
	q.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	if c.poured { // else there is room
		if err := c.makeRoom(size, false); err != nil {
			return err
		}
	}
	c.dirty = true
	s.last = records[len(records)-1].seq
	s.row.next = s.last + 1
	for _, r := range records {
		c.staged.append(s.row, r.seq, q.sealer.seal(s.row.id, r.seq, head{}, r.payload))
	}
	return nil
}

// written lets go of what is on disk now. The queue's lock is held.
func (s *spilling) written(committed bool) {
	if !committed || s.last == 0 {
		return
	}
	q := s.q
	q.current.ordinal, q.current.stored = s.row.ordinal, s.last
	q.current.acked = max(q.current.acked, s.row.acked)
	q.ordinal = max(q.ordinal, s.row.ordinal)
	n := 0
	for n < len(q.memory) && q.memory[n].seq <= s.last {
		q.memoryBytes -= len(q.memory[n].payload) + recordOverhead
		n++
	}
	q.forget(n)
}
