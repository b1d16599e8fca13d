package buffer

import (
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

const (
	// residentLimit is how much of the file is looked at, in bytes, before its pages are let go of.
	residentLimit = 2 << 20
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
	r.seen.Store(0)
	// The mapping stays where it is as long as the transaction is open. An error means that the pages stay, too.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
}
