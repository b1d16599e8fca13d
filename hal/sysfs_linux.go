package hal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// attributeSize is the most that a sysfs attribute holds: one page (Documentation/filesystems/sysfs.rst).
const attributeSize = 4096

// sysfs is the directory where sysfs is mounted. It differs from [os.DirFS] in how it reads an attribute: with one read(2),
// past Go's poller. Drivers that return EAGAIN would let os.ReadFile wait for a readiness that never comes, since
// attributes can be polled.
type sysfs string

var (
	_ fs.ReadFileFS = sysfs("")
	_ fs.ReadDirFS  = sysfs("")
)

// Open opens a file as os.DirFS does.
func (s sysfs) Open(name string) (fs.File, error) { return os.DirFS(string(s)).Open(name) }

// ReadDir lists a directory. It asks no hardware.
func (s sysfs) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return os.ReadDir(filepath.Join(string(s), name))
}

// ReadFile returns the first page of a file. It blocks for as long as the driver behind it does.
func (s sysfs) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(filepath.Join(string(s), name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	var page [attributeSize]byte
	n, err := retry(func() (int, error) { return unix.Read(fd, page[:]) })
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return bytes.Clone(page[:n]), nil
}

// retry calls again what a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
