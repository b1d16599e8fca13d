package disktest

import (
	"fmt"
	"syscall"
)

// Kind is what an operation does to the disk.
type Kind string

// The kinds of operations.
const (
	Write  Kind = "write"  // write, pwrite64, writev, pwritev
	Sync   Kind = "sync"   // fsync, fdatasync; of a file or of a directory
	Resize Kind = "resize" // ftruncate, truncate, fallocate, and openat of a file that is there with O_TRUNC
	Create Kind = "create" // openat with O_CREAT of a file that is not there, mkdirat
	Rename Kind = "rename" // renameat, renameat2
	Remove Kind = "remove" // unlinkat
)

// Op is one system call of the process that changes the disk.
type Op struct {
	N      int // from 1, in the order of the calls
	Kind   Kind
	Path   string // of the file; the old name for Rename
	Offset int64  // bytes; Write only
	Length int64  // bytes; for Resize the new size
}

// String returns the operation in one line.
func (o Op) String() string {
	if o.Kind == Write || o.Kind == Resize {
		return fmt.Sprintf("%d: %s %s %d+%d", o.N, o.Kind, o.Path, o.Offset, o.Length)
	}
	return fmt.Sprintf("%d: %s %s", o.N, o.Kind, o.Path)
}

// Fault is what goes wrong with one operation. The zero Fault is nothing: the operation is let through.
type Fault struct {
	// Errno is what the call fails with; nothing is changed. A [Sync] of a file that fails leaves what it was to write
	// clean: the process still reads it, and no later sync writes it.
	Errno syscall.Errno
	// Forget makes a failed Sync of a file drop what it was to write from memory too: the process reads what is on the
	// medium from then on, as it does once the kernel has had another use for the memory.
	Forget bool
	// Short lets half of a [Write] through and returns how much that was. Other operations are let through.
	Short bool
	// Believe lets a [Sync] return success without one: a disk that lies.
	Believe bool
	// Kill ends the process with SIGKILL.
	Kill When
}

// When is the moment of a kill.
type When int

// The moments.
const (
	Never  When = 0
	Before When = 1 // the operation is not made
	After  When = 2 // the operation is made, and the process does not learn of it
)
