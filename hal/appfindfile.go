package hal

import (
	"bytes"
	"io"
	"os"
	"syscall"
)

// pidFile is a file that holds a process id, as it was when it was read.
type pidFile struct {
	pid      int
	inode    uint64
	modified int64 // nanoseconds since 1970
}

// inFile finds the process whose id is in the application's file. A file that has not changed since its process was found
// tells of that process and of no other: when its id is another's now, the application has ended and left it behind.
func (w *appWatch) inFile(find *finder) sighting {
	file, err := readPIDFile(w.at)
	if err != nil {
		return sighting{known: true}
	}
	s := find.these([]int{file.pid})
	if len(s.processes) == 0 {
		s.known, s.count = s.count == 0, 0 // whether a process that is hidden is the application, nobody can tell
		return s
	}
	if file == w.bound && !s.processes[0].same(w.main) {
		return sighting{known: true}
	}
	w.bound = file
	return s
}

// readPIDFile reads a file whose first line is a process id. It opens nothing but a plain file, and no more than a line of it
// is read: opening a FIFO would wait, and opening a device may do anything.
func readPIDFile(name string) (pidFile, error) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return pidFile{}, ErrGone
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return pidFile{}, ErrGone
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return pidFile{}, ErrGone
	}
	var start [32]byte
	n, err := io.ReadFull(f, start[:])
	if n == 0 && err != nil {
		return pidFile{}, ErrGone
	}
	line, _, _ := bytes.Cut(start[:n], []byte("\n"))
	pid, ok := parsePID(bytes.TrimSpace(line))
	if !ok {
		return pidFile{}, ErrUnusable
	}
	file := pidFile{pid: pid, modified: info.ModTime().UnixNano()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		file.inode = stat.Ino
	}
	return file, nil
}
