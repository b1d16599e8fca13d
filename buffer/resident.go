package buffer

import (
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

const (
	// residentLimit is how much of the file is looked at, in bytes, before its pages are let go of.
	residentLimit = 512 << 10
	// lookupBytes is what one lookup makes the kernel map: the page, and those around it (fault_around_bytes).
	lookupBytes = 64 << 10
)

// resident keeps the file from filling the process's memory: bbolt maps it, and each page that is looked at counts as the
// process's own until it is let go of. What is needed again comes from the kernel's cache. It is safe for concurrent use.
type resident struct{ seen atomic.Int64 }

// saw notes that n bytes of the file were looked at, in a transaction that is still open. Too many let go of all pages.
func (r *resident) saw(tx *bolt.Tx, n int) {
	if r.seen.Add(int64(n)) < residentLimit {
		return
	}
	r.letGo(tx.DB(), tx.Size()) // the mapping stays where it is as long as the transaction is open
}

// letGo lets go of the file's pages. Nothing may let the file grow meanwhile.
func (r *resident) letGo(db *bolt.DB, size int64) {
	r.seen.Store(0)
	// An error means that the pages stay.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, db.Info().Data, uintptr(size), syscall.MADV_DONTNEED)
}
