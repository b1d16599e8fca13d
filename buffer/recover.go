package buffer

import (
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// retryEvery is how often a file that can't be reached is tried again.
const retryEvery = time.Second

// ensureOpen opens the file if it is not open, at most once per retryEvery.
func (q *Queue) ensureOpen() error {
	q.file.RLock()
	open := q.db != nil
	q.file.RUnlock()
	if open {
		return nil
	}

	q.file.Lock()
	defer q.file.Unlock()
	if q.db != nil {
		return nil
	}
	q.mu.Lock()
	fault, early := q.fault, time.Now().Before(q.retryAt)
	q.mu.Unlock()
	if fault != nil && (early || errors.Is(fault, ErrClosed)) {
		return fault
	}
	err := q.open()
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.fault, q.retryAt = err, time.Now().Add(retryEvery)
		return err
	}
	if q.fault != nil {
		q.log.Info().Str("path", q.opts.Path).Msg("queue works again")
	}
	q.fault = nil
	q.wake()
	return nil
}

// open opens the file and reads the lanes; a damaged file is set aside, once. q.file is held.
func (q *Queue) open() error {
	db, lanes, err := q.load()
	if err != nil && isDamaged(err) {
		aside, asideErr := setAside(q.opts.Path, time.Now())
		if asideErr != nil {
			return classify("set the damaged queue file aside", errors.Join(asideErr, err))
		}
		q.log.Error().Err(err).Str("set_aside", aside).Msg("queue file is damaged; a new one is begun")
		q.mu.Lock()
		q.aside = append(q.aside, aside)
		q.mu.Unlock()
		db, lanes, err = q.load()
	}
	if err != nil {
		return classify("open queue "+q.opts.Path, err)
	}
	q.db = db
	q.adopt(lanes)
	return nil
}

func (q *Queue) load() (*bolt.DB, *loaded, error) {
	db, err := openFile(q.opts.Path, q.opts.MaxSize, q.opts.Terminal)
	if err != nil {
		return nil, nil, err
	}
	var l *loaded
	err = guarded(func() error {
		return db.View(func(tx *bolt.Tx) (err error) { l, err = loadLanes(tx); return err })
	})
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, l, nil
}

// adopt takes over what the file holds, and keeps what is known beyond it: acknowledgements that the file has yet to
// follow, and telemetry in memory.
func (q *Queue) adopt(file *loaded) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ordinal = max(q.ordinal, file.ordinal)
	q.quarantined = file.quarantined
	before := q.lanes
	q.lanes = map[LaneID]*lane{q.current.id: q.current}
	onDisk := q.current.next // the oldest record of the current epoch, wherever it is
	if len(q.memory) > 0 {
		onDisk = q.memory[0].seq
	}
	for _, l := range file.lanes {
		old := before[l.id]
		if old != nil {
			l.told = max(l.told, min(old.told, l.next-1))
		}
		if l.id == q.current.id {
			q.current.ordinal, q.current.acked, q.current.stored = l.ordinal, l.acked, l.stored
			onDisk = min(onDisk, l.oldest)
			continue
		}
		if l == file.ledger {
			if old != nil && old.next > l.next {
				q.log.Error().Uint64("had", old.next).Uint64("has", l.next).Msg("queue file lost acknowledged ledger records")
			}
			q.ledger = l
		}
		q.lanes[l.id] = l
	}
	q.current.oldest = onDisk
}

// fail closes the file after a failed commit: what it holds is read again before it is used again, and no failed
// transaction is ever tried a second time.
func (q *Queue) fail(err error) {
	err = classify("store in the queue", err)
	q.log.Error().Err(err).Msg("queue commit failed")
	q.file.Lock()
	if q.db != nil {
		if closeErr := guarded(q.db.Close); closeErr != nil {
			q.log.Error().Err(closeErr).Msg("queue file did not close")
		}
		q.db = nil
	}
	q.file.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fault = err
	q.retryAt = time.Time{}
}

// why returns what is wrong with the file.
func (q *Queue) why() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fault == nil {
		return fmt.Errorf("cannot use queue: %w", ErrIO)
	}
	return q.fault
}

// SetAside returns the new names of files that could not be used, since Open.
func (q *Queue) SetAside() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]string(nil), q.aside...)
}
