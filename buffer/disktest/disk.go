// Package disktest is a disk that fails on demand, below a real process.
//
// A test starts a process of its own with [Start]. The process calls [Attach], and from then on each of its system calls
// that changes a file under the [Disk]'s directory is made by the test on its behalf: it is let through, fails with an
// errno, is cut short, or is the last thing that the process does. The program under test is the one that ships: nothing
// in it knows of the disk. It needs seccomp's user notification (seccomp_unotify(2), Linux 5.19 or later), and no
// privilege.
//
// A Disk also knows what would be left after a power cut ([Disk.Cut]): only what a successful fsync has made durable is
// certain. That is POSIX's promise and no more of it than Linux keeps: data by an fsync of the file, names by one of the
// directory, and what a failed fsync was to write is clean in memory and not on the medium.
//
// It is for tests, and knows nothing of what the files mean. Links, extended attributes and shared writable mappings are
// not among what it knows: the calls for them fail with ENOSYS.
package disktest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Disk is what holds the files under one directory. It is safe for concurrent use.
type Disk struct {
	root string

	mu      sync.Mutex // guards everything below
	decide  func(Op) Fault
	ops     int
	faults  int
	inodes  map[uint64]*file // files that there are or were, by inode
	names   map[string]*file // as the process sees them, below root
	durable map[string]*file // as they are after a power cut
	renames []naming         // changes of names since, in order
}

// New returns a disk for what is under root now, all of it durable. root must be an absolute path without symbolic links.
// Until [Disk.Decide] says otherwise, nothing fails.
func New(root string) (*Disk, error) {
	d := &Disk{root: root, inodes: map[uint64]*file{}, names: map[string]*file{}, durable: map[string]*file{}}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f := &file{path: path, dir: e.IsDir()}
		if e.Type().IsRegular() {
			if f.medium, err = os.ReadFile(path); err != nil {
				return err
			}
			f.cache, f.shared = f.medium, true
		}
		d.inodes[info.Sys().(*syscall.Stat_t).Ino] = f
		d.names[path], d.durable[path] = f, f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what is on the disk: %w", err)
	}
	return d, nil
}

// Decide sets who says what becomes of each operation. decide is called before the operation, one at a time, while the
// process waits; it may call [Disk.Cut]. nil lets everything through.
func (d *Disk) Decide(decide func(Op) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decide = decide
}

// Ops returns how many operations there were.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Faults returns how many operations were not let through.
func (d *Disk) Faults() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults
}

// holds reports whether a path is on the disk.
func (d *Disk) holds(path string) bool {
	return path == d.root || strings.HasPrefix(path, d.root+"/")
}

// next numbers an operation and asks what becomes of it.
func (d *Disk) next(op Op) Fault {
	d.mu.Lock()
	d.ops++
	op.N = d.ops
	decide := d.decide
	d.mu.Unlock()
	if decide == nil {
		return Fault{}
	}
	f := decide(op)
	if f != (Fault{}) {
		d.mu.Lock()
		d.faults++
		d.mu.Unlock()
	}
	return f
}
