package buffer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// ensureThere puts the file back when somebody has deleted it: what is stored in a file without a name is gone with the
// process.
func (q *Queue) ensureThere() error {
	q.replaceJournal()
	if _, err := os.Lstat(q.opts.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	q.file.Lock()
	if q.db == nil {
		q.file.Unlock()
		return q.why()
	}
	unfinished := q.opts.Path + createSuffix
	err := guarded(func() error {
		return q.db.View(func(tx *bolt.Tx) error { return copySynced(tx, unfinished) })
	})
	if err == nil {
		err = os.Rename(unfinished, q.opts.Path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(q.opts.Path))
	}
	q.file.Unlock()
	q.log.Error().Err(err).Str("path", q.opts.Path).Msg("queue file was deleted; it is written again from the open file")
	if err != nil {
		return classify("write the deleted queue file again", err)
	}
	q.fail(errDeleted) // closes the nameless file
	return q.ensureOpen()
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

// replaceJournal makes a new journal, with the same content, when somebody has deleted it.
func (q *Queue) replaceJournal() {
	q.file.RLock()
	there := q.journal == nil || q.journal.there()
	q.file.RUnlock()
	if there {
		return
	}
	q.file.Lock()
	defer q.file.Unlock()
	if q.journal == nil {
		return
	}
	q.log.Error().Str("path", q.journal.file.Name()).Msg("queue's journal was deleted; what it held is written again")
	q.mu.Lock()
	defer q.mu.Unlock()
	_ = q.journal.close()
	var err error
	q.journal, err = openJournal(q.opts.Path+journalSuffix, ownerOf(q.opts.Terminal), journalSize(q.opts.MaxSize))
	if err != nil {
		q.log.Error().Err(err).Msg("queue works without its journal")
		q.journal = nil
		return
	}
	q.journal.restart(q.generation)
	if q.held.empty() {
		return
	}
	if done, err := q.journal.write(q.held); !done || err != nil {
		q.log.Error().Err(err).Msg("queue's journal can't be written again; the file takes over what it held")
		q.pourFirst = true
	}
}
