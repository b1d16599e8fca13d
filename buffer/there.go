package buffer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// ensureThere puts the queue's files back when somebody has deleted or replaced them: what is stored in a file without a
// name is gone with the process.
func (q *Queue) ensureThere() error {
	q.file.RLock()
	file := q.db == nil || named(q.opts.Path, q.origin)
	journal := q.journal == nil || q.journal.there()
	q.file.RUnlock()
	if file && journal {
		return nil
	}
	if err := makeDir(filepath.Dir(q.opts.Path)); err != nil {
		return classify("make the queue's directory again", err)
	}
	if !journal {
		q.putJournalBack()
	}
	if file {
		return nil
	}
	err := q.putFileBack()
	q.log.Error().Err(err).Str("path", q.opts.Path).Msg("queue file was deleted or replaced; it is written again from the open file")
	if err != nil {
		return classify("write the queue file again", err)
	}
	q.fail(errDeleted) // closes the nameless file
	return q.ensureOpen()
}

// named reports whether a path still leads to a file. When that can't be told, it does.
func named(path string, file os.FileInfo) bool {
	now, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return os.SameFile(now, file)
}

// putFileBack writes the open file's content under its name. What has taken its name is set aside.
func (q *Queue) putFileBack() error {
	q.file.Lock()
	defer q.file.Unlock()
	if q.db == nil {
		return q.why()
	}
	unfinished := q.opts.Path + createSuffix
	err := guarded(func() error {
		if err := q.metasThere(); err != nil {
			return err
		}
		return q.db.View(func(tx *bolt.Tx) error { return copySynced(tx, unfinished) })
	})
	if err == nil {
		err = q.clear(q.opts.Path)
	}
	if err != nil {
		return err
	}
	return rename(unfinished, q.opts.Path)
}

// clear sets aside what has taken the name of one of the queue's files.
func (q *Queue) clear(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside, err := setAside(path, time.Now())
	if err == nil {
		q.noteAside(Salvage{File: aside, Reason: Replaced})
	}
	return err
}

// errDeleted is why a file is opened anew.
var errDeleted = errors.New("it was deleted")

func copySynced(tx *bolt.Tx, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = tx.WriteTo(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// putJournalBack makes a new journal, with the same content. What has taken its name is set aside.
func (q *Queue) putJournalBack() {
	q.file.Lock()
	defer q.file.Unlock()
	if q.journal == nil {
		return
	}
	path := q.opts.Path + journalSuffix
	q.log.Error().Str("path", path).Msg("queue's journal was deleted or replaced; what it held is written again")
	err := q.clear(path)
	_ = q.journal.close()
	q.journal = nil
	var j *journal
	if err == nil {
		j, err = openJournal(path, ownerOf(q.opts.Terminal), journalSize(q.opts.MaxSize))
	}
	if err != nil {
		q.log.Error().Err(err).Msg("queue works without its journal")
		return // the next commit is for the file, with what the journal held
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.journal = j
	j.restart(q.generation)
	if q.held.empty() {
		return
	}
	if done, err := j.write(q.held); !done || err != nil {
		q.log.Error().Err(err).Msg("queue's journal can't be written again; the file takes over what it held")
		q.pourFirst = true
	}
}
