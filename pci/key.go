package pci

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// keyFileSize is 64 hexadecimal digits and a newline.
const keyFileSize = 65

// ErrNoKey says that a key file does not hold a key.
var ErrNoKey = errors.New("not a key")

// KeyError says why a key file can't be used. It never holds what is in the file.
type KeyError struct {
	// Path is the file.
	Path string
	// Problem is what is wrong, in words.
	Problem string
	// Remedy is what a person can do about it.
	Remedy string
	// Err is what the system said, or [ErrNoKey]. Nil when the file may not be used as it is.
	Err error
}

// Error names the file and the problem.
func (e *KeyError) Error() string { return "cannot use key file " + e.Path + ": " + e.Problem }

// Hint returns the remedy.
func (e *KeyError) Hint() string { return e.Remedy }

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// LoadKey reads a key of 64 hexadecimal digits and a newline. The file must be a regular one, belong to the caller or
// to root, and let nobody else in (mode 0600 or 0400); a symbolic link is refused. The error is a *[KeyError]; it wraps
// [fs.ErrNotExist] when there is no file, and [ErrNoKey] when what is in it is no key.
func LoadKey(path string) (key [32]byte, err error) {
	// Without O_NONBLOCK a named pipe in the file's place would hold the agent up for ever.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return key, openError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, &KeyError{Path: path, Problem: err.Error(), Remedy: "check the disk", Err: err}
	}
	if err := checkKeyFile(path, info); err != nil {
		return key, err
	}
	text := make([]byte, keyFileSize+1)
	n, err := io.ReadFull(f, text)
	defer clear(text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return key, &KeyError{Path: path, Problem: err.Error(), Remedy: "check the disk", Err: err}
	}
	if n != keyFileSize || text[n-1] != '\n' {
		return key, formatError(path)
	}
	if _, err := hex.Decode(key[:], text[:keyFileSize-1]); err != nil {
		// The decoder's error quotes a character of the key.
		return [32]byte{}, formatError(path)
	}
	return key, nil
}

// LoadOrCreateKey reads the key as [LoadKey] does, and makes a random one where there is no file. The file appears
// whole or not at all, and is on disk after return; of several callers at once, all get the same key. A new key can't
// open what was sealed with a lost one: where such records exist, call LoadKey.
func LoadOrCreateKey(path string) ([32]byte, error) {
	key, err := LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil {
		return [32]byte{}, &KeyError{Path: path, Problem: err.Error(), Remedy: "check that its directory exists and can be written by the agent", Err: err}
	}
	return LoadKey(path)
}

// createKey makes a key file, or leaves the one alone that another caller was faster to make. Either is on disk then.
func createKey(path string) error {
	var key [32]byte
	rand.Read(key[:])
	text := append(hex.AppendEncode(make([]byte, 0, keyFileSize), key[:]), '\n')
	defer clear(key[:])
	defer clear(text)

	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	if _, err := temp.Write(text); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	// Unlike a rename, a link never takes the place of a key that is there already.
	linked := os.Link(temp.Name(), path)
	if linked != nil && !errors.Is(linked, fs.ErrExist) {
		return linked
	}
	os.Remove(temp.Name())
	return syncDir(dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func checkKeyFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &KeyError{Path: path, Problem: "not a regular file", Remedy: "put a key file there, or remove it so that a new one is made"}
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return &KeyError{
			Path:    path,
			Problem: fmt.Sprintf("others may read or write it (mode %04o)", perm),
			Remedy:  "if nobody has read it: chmod 600 " + path + "; if somebody may have: replace the key",
		}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &KeyError{Path: path, Problem: "its owner can't be told", Remedy: "put it on a file system that has owners"}
	}
	if me := os.Geteuid(); stat.Uid != 0 && me != 0 && int(stat.Uid) != me {
		return &KeyError{
			Path:    path,
			Problem: fmt.Sprintf("it belongs to user %d, not to user %d that runs this", stat.Uid, me),
			Remedy:  fmt.Sprintf("chown %d %s", me, path),
		}
	}
	return nil
}

func openError(path string, err error) error {
	e := &KeyError{Path: path, Problem: err.Error(), Err: err}
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		e.Problem = cause.Err.Error()
	}
	switch {
	case errors.Is(err, syscall.ELOOP):
		e.Problem, e.Remedy = "it is a symbolic link", "name the file itself"
	case errors.Is(err, fs.ErrNotExist):
		e.Remedy = "check the path, or restore the key"
	case errors.Is(err, fs.ErrPermission):
		e.Remedy = "run as the user that owns the file"
	default:
		e.Remedy = "check the disk"
	}
	return e
}

func formatError(path string) error {
	return &KeyError{
		Path:    path,
		Problem: "it is not 64 hexadecimal digits and a newline",
		Remedy:  "restore the key: nothing that it has sealed or named can be opened or named again with a new one",
		Err:     ErrNoKey,
	}
}
