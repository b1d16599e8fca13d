package buffer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// metaHead is how much of a meta page says whether it is one: the page's header and bbolt's meta.
const metaHead = pageHeader + 64

// begin begins a transaction of the open file. bbolt panics in Begin when it can't read a meta page, and keeps its locks
// for ever then, so they are looked at first. q.file is held.
func (q *Queue) begin(writable bool) (*bolt.Tx, error) {
	if err := q.metasThere(); err != nil {
		return nil, err
	}
	return q.db.Begin(writable)
}

// metasThere returns an error unless one of the file's two meta pages can be read and is valid. q.file is held.
func (q *Queue) metasThere() error {
	p := pages{raw: make([]byte, 2*metaHead), size: metaHead}
	for i := range int64(2) {
		at := i * int64(q.pageSize)
		if _, err := q.handle.ReadAt(p.raw[i*metaHead:][:metaHead], at); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it is cut short", errDamaged)
		} else if err != nil {
			return err
		}
	}
	if p.meta() == nil {
		return fmt.Errorf("%w: neither of its first pages is valid", errDamaged)
	}
	return nil
}

// closeFile closes the queue's file after err. After a panic bbolt may hold its locks for ever, and its Close would wait for
// them: the file is closed under it. What is mapped stays so until the process ends, and would keep the file's lock.
func closeFile(db *bolt.DB, handle *os.File, err error) error {
	if errors.Is(err, errPanicked) {
		return errors.Join(syscall.Flock(int(handle.Fd()), syscall.LOCK_UN), handle.Close())
	}
	return guarded(db.Close)
}
