package parquet

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Disk is the folder that a [Lander] keeps its files in. Names are relative to it, with slashes. Nothing is durable
// before the Sync that concerns it has returned nil.
type Disk interface {
	// Create makes an empty file, in place of one that has the name.
	Create(name string) (File, error)
	// ReadFile returns an error that wraps [fs.ErrNotExist] when there is no such file.
	ReadFile(name string) ([]byte, error)
	// Rename takes the place of a file that has the new name.
	Rename(from, to string) error
	Remove(name string) error
	// Mkdir succeeds when the folder is there. The folder above must be.
	Mkdir(name string) error
	// Glob is as [fs.Glob].
	Glob(pattern string) ([]string, error)
	// SyncFolder makes the names in a folder durable.
	SyncFolder(name string) error
}

// File is a file that is being written.
type File interface {
	io.Writer
	// Sync makes the contents durable. It must not be called again after it has failed.
	Sync() error
	Close() error
}

// folder is a Disk in the file system.
type folder string

// OpenFolder returns a folder of the file system, which it makes when it isn't there. The one above it must be.
func OpenFolder(dir string) (Disk, error) {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return folder(dir), folder(dir).SyncFolder("..")
}

func (d folder) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

func (d folder) Create(name string) (File, error) { return os.Create(d.path(name)) }

func (d folder) ReadFile(name string) ([]byte, error) { return os.ReadFile(d.path(name)) }

func (d folder) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d folder) Remove(name string) error { return os.Remove(d.path(name)) }

func (d folder) Mkdir(name string) error {
	if err := os.Mkdir(d.path(name), 0o755); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (d folder) Glob(pattern string) ([]string, error) { return fs.Glob(os.DirFS(string(d)), pattern) }

func (d folder) SyncFolder(name string) error {
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
