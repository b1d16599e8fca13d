package buffer

import (
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// Space is how much more the ledger may take, at least: readings on the disk make room for it too.
type Space struct {
	Bytes    int64 // by the queue's limit and by what the disk has left; >= 0
	ReadOnly bool  // the file system is mounted read-only
}

// Space returns how much more the ledger may take. It costs a look at the file's free list and at its file system.
//
// Errors: the causes above; [ErrIO] when the file system does not say.
func (q *Queue) Space() (Space, error) {
	var s Space
	err := q.view(func(tx *bolt.Tx, held *overlay) error {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(q.handle.Fd()), &disk); err != nil {
			return classify("look at the queue's file system", err)
		}
		var file syscall.Stat_t
		if err := syscall.Fstat(int(q.handle.Fd()), &file); err != nil {
			return classify("look at the queue's file", err)
		}
		const readOnly = 0x1 // ST_RDONLY of statfs(2)
		s.ReadOnly = disk.Flags&readOnly != 0
		stats := q.db.Stats()
		q.mu.Lock()
		used := tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(q.pageSize) + held.size + pathBytes
		q.mu.Unlock()
		// What was set aside for the file lies in its blocks, which have 512 bytes (stat(2)).
		backed := file.Blocks*512 + int64(disk.Bavail*uint64(disk.Bsize))
		s.Bytes = max(min(q.opts.MaxSize-journalSize(q.opts.MaxSize), backed)-used, 0)
		return nil
	})
	return s, err
}
