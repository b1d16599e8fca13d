package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// replayJournal opens the journal, lays what it holds over what the file has, and makes sure that it is on disk. A journal
// that there is no room for is done without. q.file is held.
func (q *Queue) replayJournal(file *loaded) error {
	path := q.opts.Path + journalSuffix
	info, err := os.Stat(path)
	short := file.journaled && err == nil && info.Size() < file.journalSize
	if file.journaled && errors.Is(err, fs.ErrNotExist) {
		q.log.Error().Str("path", path).Msg("queue's journal is gone; what was only in it is lost")
		q.noteAside(Salvage{File: path, Reason: Gone})
	}
	j, err := openJournal(path, ownerOf(q.opts.Terminal), journalSize(q.opts.MaxSize))
	if err != nil {
		if err = classify("create the queue's journal", err); !errors.Is(err, ErrFull) {
			return err
		}
		q.log.Warn().Err(err).Msg("queue works without its journal")
		file.lay(newOverlay())
		return nil
	}
	got, err := readJournal(j.file, j.size, j.owner, file.generation)
	if err != nil {
		return errors.Join(err, j.close())
	}
	if got.torn {
		q.log.Warn().Str("path", path).Uint64("frame", got.next).Msg("journal's last frame can't be read: the power failed before it was acknowledged, or it is damaged")
	}
	j.resume(got)
	if err := j.refresh(); err != nil {
		return errors.Join(err, j.close())
	}
	if got.damaged || short {
		q.journalDamaged(path, got, file)
		file.pourFirst = true
	}
	if file.created && !got.held.empty() {
		saved := got.saved(file)
		saved.File, saved.Reason = q.opts.Path, Gone
		q.log.Error().Str("path", q.opts.Path).Uint64("saved", saved.Records).Msg("queue file is gone; what its journal holds is in a new one")
		q.noteAside(saved)
	}
	file.lay(got.held)
	file.generation = got.generation
	q.journal = j
	return nil
}

// markJournaled notes in the file that it has a journal of a size, so that a missing one, and one cut short, is noticed.
func markJournaled(db *bolt.DB, size int64) error {
	return db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(metaJournaled, binary.BigEndian.AppendUint64(nil, uint64(size)))
	})
}

func (q *Queue) noteAside(s Salvage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.aside = append(q.aside, s)
}

// saved counts what a journal holds, and what is missing before it and between it: the ledger goes on in it where the file
// ends, or after what the backend has.
func (got *replay) saved(file *loaded) Salvage {
	s := Salvage{Reason: Damaged, Rows: uint64(len(got.held.rows))}
	for id, t := range got.held.lanes {
		expected := t.row.acked + 1
		if i := slices.IndexFunc(file.lanes, func(l *lane) bool { return l.id == id }); i >= 0 {
			expected = file.lanes[i].next
		}
		seqs := map[uint64]bool{}
		due := uint64(0) // how many of them are not before expected
		for _, r := range t.records {
			if !seqs[r.seq] && r.seq >= expected {
				due++
			}
			seqs[r.seq] = true
		}
		s.Records += uint64(len(seqs))
		if id.Lane == Ledger && t.row.next > expected {
			s.Missing += t.row.next - expected - due
		}
	}
	return s
}

// errWentBack is why a file is salvaged that is whole: it is an old copy, or its newest meta page is gone.
var errWentBack = fmt.Errorf("%w: its journal is newer than the file", errDamaged)

// wentBack reports whether the journal has frames that were written after the file had taken over more than it has now, or
// whether this process has seen more of it.
func (q *Queue) wentBack(file *loaded) bool {
	q.mu.Lock()
	seen := q.generation
	q.mu.Unlock()
	return file.generation < seen || (file.generation > 0 || len(file.lanes) > 0) && !q.peekJournal(file.generation+1).held.empty()
}

// peekJournal reads the frames of a generation and of later ones, before the journal is opened for use.
func (q *Queue) peekJournal(generation uint64) *replay {
	nothing := &replay{held: newOverlay()}
	f, err := os.Open(q.opts.Path + journalSuffix)
	if err != nil {
		return nothing
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nothing
	}
	got, err := readJournal(f, info.Size()/framePage*framePage, ownerOf(q.opts.Terminal), generation)
	if err != nil {
		return nothing // what is wrong with it is found when it is opened
	}
	return got
}

// journalDamaged keeps a copy of a journal that has lost frames. Those that are there are used.
func (q *Queue) journalDamaged(path string, got *replay, file *loaded) {
	saved := got.saved(file)
	saved.File = fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano())
	if err := copyFile(path, saved.File); err != nil {
		q.log.Error().Err(err).Msg("damaged journal could not be copied")
		saved.File = path
	}
	q.log.Error().Str("copy", saved.File).Uint64("saved", saved.Records).Uint64("missing", saved.Missing).Msg("queue's journal is damaged; what could be read of it is used")
	q.noteAside(saved)
}

// copyFile copies a file durably.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close(), syncDir(filepath.Dir(to)))
}

func (q *Queue) closeJournal() error {
	if q.journal == nil {
		return nil
	}
	err := q.journal.close()
	q.journal = nil
	return err
}
