package at

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WatchDirs tells when something appears in one of the directories whose name wanted says is worth a try, or may be opened
// that could not be before. It is what [Options].Watch may return. Directories that are not there are left out; it is an
// error when none is.
//
// Source: inotify(7).
func WatchDirs(dirs []string, wanted func(name string) bool) (back <-chan struct{}, stop func(), err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fd), "inotify")
	watched := 0
	for _, dir := range dirs {
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_ONLYDIR)
		if err == nil {
			watched++
		}
	}
	if watched == 0 {
		_ = file.Close()
		return nil, nil, errors.Join(errors.New("cannot watch any directory"), err)
	}
	events := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchEvents(file, wanted, events)
	}()
	return events, func() {
		_ = file.Close()
		<-done
	}, nil
}

// watchEvents reads events until the file is closed.
func watchEvents(file *os.File, wanted func(string) bool, events chan<- struct{}) {
	buf := make([]byte, 4096)
	for {
		n, err := file.Read(buf)
		if err != nil {
			return
		}
		if worth(buf[:n], wanted) {
			select {
			case events <- struct{}{}:
			default: // one is waiting already
			}
		}
	}
}

// worth reports whether one of the events is wanted: struct inotify_event of <linux/inotify.h>, whose name is filled up
// with NUL. An event without a name is about all of them, as when the queue ran over.
func worth(events []byte, wanted func(string) bool) bool {
	const header = unix.SizeofInotifyEvent
	for len(events) >= header {
		size := int(binary.NativeEndian.Uint32(events[header-4:]))
		if size > len(events)-header {
			return true
		}
		name, _, _ := bytes.Cut(events[header:header+size], []byte{0})
		if len(name) == 0 || wanted(string(name)) {
			return true
		}
		events = events[header+size:]
	}
	return false
}

// WatchPath tells when a path appears, or what it is a symbolic link to. It is what [Options].Watch may return.
func WatchPath(path string) (back <-chan struct{}, stop func(), err error) {
	paths := []string{path}
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		paths = append(paths, target)
	}
	var dirs []string
	names := make(map[string]bool)
	for _, p := range paths {
		for dir := filepath.Dir(p); ; p, dir = dir, filepath.Dir(dir) {
			names[filepath.Base(p)] = true
			if _, err := os.Stat(dir); err == nil || dir == p {
				dirs = append(dirs, dir) // the nearest that is there
				break
			}
		}
	}
	return WatchDirs(dirs, func(name string) bool { return names[name] })
}
