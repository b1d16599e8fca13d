// Package file writes small files that must be whole: certificates, keys, tokens, entries of lists.
//
// Both ends of the uplink use it. What it writes is either there with all of its bytes, and on disk, or not there at
// all, whatever is killed or unplugged meanwhile. It never reads, and never removes what it did not make.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempPrefix begins the names of files that are not whole yet.
const tempPrefix = ".tmp-"

// Create makes a file that is not there yet. When one is there, it is left as it is, and the error wraps
// [fs.ErrExist]; of several callers at once, one succeeds.
func Create(path string, data []byte, perm fs.FileMode) error {
	// Unlike a rename, a link never takes the place of what is there.
	return write(path, data, perm, func(temp string) error { return errors.Join(os.Link(temp, path), os.Remove(temp)) })
}

// Replace makes a file, or takes the place of the one that is there, as one step: a reader sees the old bytes or the new.
func Replace(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, func(temp string) error { return os.Rename(temp, path) })
}

// Rename gives a file another name, in the place of what has that name, and syncs the folder. Both are in one folder.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("cannot rename %s: %w", from, cause(err))
	}
	return syncFolder(to)
}

// IsTemp reports whether a name is that of a file that a kill left half written. Readers of a folder pass it over.
func IsTemp(name string) bool { return strings.HasPrefix(filepath.Base(name), tempPrefix) }

// write writes a temporary file beside path, lets publish give it its name, and syncs the folder.
func write(path string, data []byte, perm fs.FileMode, publish func(temp string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, cause(err))
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err == nil {
		err = publish(f.Name())
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("cannot write %s: %w", path, cause(err))
	}
	return syncFolder(path)
}

// syncFolder makes the names in the folder of path last.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot sync folder of %s: %w", path, cause(err))
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cannot sync folder of %s: %w", path, cause(err))
	}
	return nil
}

// cause leaves out the name of the temporary file, which says nothing to people.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
