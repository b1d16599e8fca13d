package buffer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// replayJournal opens the journal, lays what it holds over what the file has, and makes sure that it is on disk. A journal
// that there is no room for is done without. q.file is held.
func (q *Queue) replayJournal(file *loaded) error {
	path := q.opts.Path + journalSuffix
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
	j.resume(got)
	if err := j.refresh(); err != nil {
		return errors.Join(err, j.close())
	}
	if got.damaged {
		q.journalDamaged(path, got)
		file.pourFirst = true
	}
	file.lay(got.held)
	file.generation = got.generation
	q.journal = j
	return nil
}

// errWentBack is why a file is salvaged that is whole: it is an old copy, or its newest meta page is gone.
var errWentBack = fmt.Errorf("%w: its journal is newer than the file", errDamaged)

// wentBack reports whether the journal has frames that were written after the file had taken over more than it has now.
func (q *Queue) wentBack(file *loaded) bool {
	return (file.generation > 0 || len(file.lanes) > 0) && !q.peekJournal(file.generation+1).held.empty()
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
func (q *Queue) journalDamaged(path string, got *replay) {
	saved := Salvage{File: fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano())}
	if err := copyFile(path, saved.File); err != nil {
		q.log.Error().Err(err).Msg("damaged journal could not be copied")
		saved.File = path
	}
	for _, t := range got.held.lanes {
		saved.Records += uint64(len(t.records))
		saved.Missing += t.row.next - t.records[0].seq - uint64(len(t.records))
	}
	saved.Rows = uint64(len(got.held.rows))
	q.log.Error().Str("copy", saved.File).Uint64("saved", saved.Records).Uint64("missing", saved.Missing).Msg("queue's journal is damaged; what could be read of it is used")
	q.mu.Lock()
	q.aside = append(q.aside, saved)
	q.mu.Unlock()
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
