package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// open opens the file and reads the lanes. What can be read of a damaged file is taken into a new one, which then takes
// its place. q.file is held.
func (q *Queue) open() error {
	db, lanes, err := q.load()
	if err == nil && q.wentBack(lanes) {
		err = errors.Join(errWentBack, db.Close())
	}
	if err != nil && isDamaged(err) {
		q.log.Error().Err(err).Msg("queue file is damaged")
		if err = q.replace(); err == nil {
			db, lanes, err = q.load()
		}
	}
	if err == nil && (worthCompacting(db) || toWriteAnew(db)) {
		db, lanes, err = q.shrink(db, lanes)
	}
	if err != nil {
		return classify("open queue "+q.opts.Path, err)
	}
	if err = q.replayJournal(lanes); err != nil {
		_ = db.Close()
		return classify("open the journal of queue "+q.opts.Path, err)
	}
	if err = refresh(q.opts.Path, db.Info().PageSize); err == nil && q.journal != nil && (!lanes.journaled || lanes.journalSize != q.journal.size) {
		err = guarded(func() error { return markJournaled(db, q.journal.size) })
	}
	if err == nil {
		q.origin, err = os.Stat(q.opts.Path)
	}
	if err != nil {
		return classify("write to queue "+q.opts.Path, errors.Join(err, closeFile(db, lanes.handle, err), q.closeJournal()))
	}
	q.db, q.handle, q.pageSize = db, lanes.handle, db.Info().PageSize
	q.adopt(lanes)
	q.backing.bytes = 0
	return guarded(func() error {
		return db.View(func(tx *bolt.Tx) error { q.backing.extend(tx.Size(), 0); return nil })
	})
}

// shrink compacts the file. A file that can't be compacted, for want of room, is used as it is.
func (q *Queue) shrink(db *bolt.DB, lanes *loaded) (*bolt.DB, *loaded, error) {
	fresh := q.opts.Path + newSuffix
	if err := guarded(func() error { return compact(db, fresh, q.opts.Terminal) }); err != nil {
		q.log.Warn().Err(err).Msg("queue file can't be compacted; it stays as large as it is")
		return db, lanes, nil
	}
	// From here on the open file may have lost its name.
	if err := errors.Join(rename(fresh, q.opts.Path), db.Close()); err != nil {
		return nil, nil, err
	}
	q.log.Info().Str("path", q.opts.Path).Msg("queue file was compacted")
	return q.load()
}

// replace salvages the damaged file into a new one, sets the damaged one aside and puts the new one in its place. Should
// the power fail meanwhile, the damaged file is still there, or the new one is complete and [finishReplace] ends it.
func (q *Queue) replace() error {
	path, fresh := q.opts.Path, q.opts.Path+newSuffix
	if err := removeStale(fresh); err != nil {
		return err
	}
	db, err := openFile(fresh, q.opts.MaxSize, q.opts.Terminal)
	if err != nil {
		return err
	}
	q.mu.Lock()
	seen := q.generation
	q.mu.Unlock()
	var saved Salvage
	err = guarded(func() (err error) { saved, err = salvage(db, path, q.sealer, q.peekJournal(0), seen); return err })
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("cannot salvage the damaged file: %w", err)
	}
	if saved.File, err = setAside(path, time.Now()); err != nil {
		return err
	}
	q.log.Warn().Str("set_aside", saved.File).Uint64("saved", saved.Records).Uint64("missing", saved.Missing).Uint64("unreadable", saved.Unreadable).
		Msg("what could be read of the damaged queue file is in a new one")
	q.noteAside(saved)
	return finishReplace(path)
}

func (q *Queue) load() (*bolt.DB, *loaded, error) {
	dir := filepath.Dir(q.opts.Path)
	if err := finishReplace(q.opts.Path); err != nil {
		return nil, nil, err
	}
	created := false
	if _, err := os.Stat(q.opts.Path); errors.Is(err, fs.ErrNotExist) {
		created = true
		if err := makeDir(dir); err != nil {
			return nil, nil, err
		}
		if err := createFile(q.opts.Path, q.opts.Terminal); err != nil {
			return nil, nil, err
		}
	}
	db, handle, err := openHandle(q.opts.Path, q.opts.MaxSize, q.opts.Terminal)
	if errors.Is(err, errOldFormat) {
		if err := guarded(func() error { return migrate(q.opts.Path) }); err != nil {
			return nil, nil, err
		}
		q.log.Info().Int("format", formatVersion).Msg("queue file was migrated")
		db, handle, err = openHandle(q.opts.Path, q.opts.MaxSize, q.opts.Terminal)
	}
	if err != nil {
		return nil, nil, err
	}
	err = syncDir(dir) // what was created or renamed before a failure, or just now
	var l *loaded
	if err == nil {
		l, err = q.lanesOf(db)
	}
	if err != nil {
		_ = closeFile(db, handle, err)
		return nil, nil, err
	}
	l.created, l.handle = created, handle
	return db, l, nil
}

func (q *Queue) lanesOf(db *bolt.DB) (l *loaded, err error) {
	err = guarded(func() error {
		return db.View(func(tx *bolt.Tx) (err error) { l, err = loadLanes(tx); return err })
	})
	return l, err
}

// adopt takes over what the file holds, and keeps what is known beyond it: acknowledgements that the file has yet to
// follow, and telemetry in memory. The ledger goes on in a new epoch: should the file be older than what the backend has
// seen of it (a copy that was put back, a disk that forgot its last writes), no number is ever given a second time.
func (q *Queue) adopt(file *loaded) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ordinal = max(q.ordinal, file.ordinal)
	q.quarantined = file.quarantined
	q.held, q.generation = file.held, file.generation
	q.pourFirst = file.pourFirst
	before := q.lanes
	if q.ledger.next > 1 {
		q.given[q.ledger.id] = q.ledger.next
	}
	q.ordinal++
	q.ledger = &lane{laneRecord: laneRecord{id: LaneID{Ledger, newEpoch()}, ordinal: q.ordinal, next: 1}, oldest: 1}
	q.lanes = map[LaneID]*lane{q.current.id: q.current, q.ledger.id: q.ledger}
	oldest := q.current.next // of the current telemetry epoch, wherever it is
	if len(q.memory) > 0 {
		oldest = q.memory[0].seq
	}
	for _, l := range file.lanes {
		if given, own := q.given[l.id]; own {
			q.given[l.id] = max(given, l.next) // what a failed commit has left is given as well
		}
		if old := before[l.id]; old != nil {
			l.told = max(l.told, min(old.told, l.next-1))
			if l.id.Lane == Ledger && old.next > l.next {
				q.log.Error().Uint64("had", old.next).Uint64("has", l.next).Msg("queue file lost acknowledged ledger records")
			}
		}
		if l.id == q.current.id {
			q.current.ordinal, q.current.acked, q.current.stored = l.ordinal, l.acked, l.stored
			oldest = min(oldest, l.oldest)
			continue
		}
		q.lanes[l.id] = l
	}
	q.current.oldest = oldest
}

// fail closes the file after a failed commit: what it holds is read again before it is used again, and no failed
// transaction is ever tried a second time.
func (q *Queue) fail(err error) {
	err = classify("store in the queue", err)
	q.log.Error().Err(err).Msg("queue commit failed")
	q.file.Lock()
	if q.db != nil {
		if closeErr := closeFile(q.db, q.handle, err); closeErr != nil {
			q.log.Error().Err(closeErr).Msg("queue file did not close")
		}
		q.db = nil
	}
	if closeErr := q.closeJournal(); closeErr != nil {
		q.log.Error().Err(closeErr).Msg("queue's journal did not close")
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

// SetAside returns what became of files that could not be used, since Open.
func (q *Queue) SetAside() []Salvage {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.aside)
}
