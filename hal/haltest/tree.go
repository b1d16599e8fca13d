// Package haltest stands in for the hardware of a terminal: trees of sysfs with scripted faults, a battery that does as it
// is told, and the conformance suites that every driver of package hal must pass.
//
// It is for tests and for the simulator. It is never part of the agent.
package haltest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// Tree is a tree of sysfs in memory, whose files can fail and hang as those of a driver do. It is an [fs.FS], and safe
// for concurrent use.
//
// A tree comes from a txtar archive of the files under /sys. The content of a file is as given, or one of
//
//	"85\x00"     a Go string literal, for bytes that an archive can't hold
//	!ENODATA     reading fails; also EAGAIN, EIO, ENODEV, EPERM
//	!hang        reading hangs, until the file is set anew or removed
type Tree struct {
	mu    sync.Mutex // guards all below
	files fstest.MapFS
	fails map[string]error
	hangs map[string]chan struct{} // closed when reads of the file may go on
}

// ReadTree returns the tree in the archive with that file name.
func ReadTree(archive string) (*Tree, error) {
	content, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	return ParseTree(content)
}

// ParseTree returns the tree in an archive.
func ParseTree(archive []byte) (*Tree, error) {
	t := &Tree{
		files: make(fstest.MapFS),
		fails: make(map[string]error),
		hangs: make(map[string]chan struct{}),
	}
	for _, f := range txtar.Parse(archive).Files {
		if err := t.Set(f.Name, string(f.Data)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Open opens a file or a directory as it is now, with the fault of a file if it has one.
func (t *Tree) Open(name string) (fs.File, error) {
	for {
		t.mu.Lock()
		hang, hangs := t.hangs[name]
		if !hangs {
			defer t.mu.Unlock()
			if err := t.fails[name]; err != nil {
				return nil, &fs.PathError{Op: "read", Path: name, Err: err}
			}
			return t.files.Open(name)
		}
		t.mu.Unlock()
		<-hang
	}
}

// Set makes a file, or changes what reading it does from now on. The content is written as in an archive; an error means
// that it can't be, and nothing was changed.
func (t *Tree) Set(name, content string) error {
	data, fault, hangs, err := parseContent(content)
	if err != nil {
		return fmt.Errorf("cannot set %s: %w", name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(name)
	t.files[name] = &fstest.MapFile{Data: data, Mode: 0o444}
	if hangs {
		t.hangs[name] = make(chan struct{})
	}
	if fault != nil {
		t.fails[name] = fault
	}
	return nil
}

// Remove takes away a file, or a directory with all that is in it, as when a device is unplugged.
func (t *Tree) Remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for file := range maps.Keys(t.files) {
		if file == name || strings.HasPrefix(file, name+"/") {
			t.release(file)
			delete(t.files, file)
		}
	}
}

// Write writes the tree into a directory. Faults can't be written: it is an error if there are any.
func (t *Tree) Write(dir string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.fails)+len(t.hangs) > 0 {
		return fmt.Errorf("cannot write a tree with faults into %s", dir)
	}
	for name, f := range t.files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, f.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// release ends the fault of a file.
func (t *Tree) release(name string) {
	if hang, ok := t.hangs[name]; ok {
		close(hang)
		delete(t.hangs, name)
	}
	delete(t.fails, name)
}

// parseContent returns what a file holds, the error that reading it gives, and whether reading it hangs.
func parseContent(content string) (data []byte, fault error, hangs bool, err error) {
	word := strings.TrimSpace(content)
	if strings.HasPrefix(word, `"`) {
		text, err := strconv.Unquote(word)
		return []byte(text), nil, false, err
	}
	switch word {
	case "!hang":
		return nil, nil, true, nil
	case "!ENODATA":
		return nil, syscall.ENODATA, false, nil
	case "!EAGAIN":
		return nil, syscall.EAGAIN, false, nil
	case "!EIO":
		return nil, syscall.EIO, false, nil
	case "!ENODEV":
		return nil, syscall.ENODEV, false, nil
	case "!EPERM":
		return nil, syscall.EPERM, false, nil
	}
	if strings.HasPrefix(word, "!") {
		return nil, nil, false, fmt.Errorf("unknown fault %s", word)
	}
	return []byte(content), nil, false, nil
}
