package buffer

import (
	"sync/atomic"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// residentLimit is how much of the file is read, in bytes, before its pages are let go of.
const residentLimit = 512 << 10

// resident keeps the file from filling the process's memory: bbolt maps it, and each page that is read counts as the
// process's own until it is let go of. What is needed again comes from the kernel's cache.
type resident struct{ read atomic.Int64 }

// used notes that n bytes of the file were read, in a transaction that is still open. Too many let go of all pages.
func (r *resident) used(tx *bolt.Tx, n int) {
	if r.read.Add(int64(n)) < residentLimit {
		return
	}
	r.read.Store(0)
	// The mapping stays where it is as long as the transaction is open. An error means that the pages stay, too.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
}
