package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrInUse means that another process has the store.
var ErrInUse = errors.New("cannot change settings of the backend: another stampd has them")

// lock keeps other processes from writing a store. The kernel lets go of it when the process ends (flock(2)).
type lock struct{ f *os.File }

// acquire takes the lock of the store at path.
func acquire(path string) (*lock, error) {
	path = strings.TrimSuffix(path, filepath.Ext(path)) + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot lock settings of the backend: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock settings of the backend: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("cannot lock settings of the backend: %w", err)
	}
	return &lock{f}, nil
}

func (l *lock) release() {
	if l != nil {
		_ = l.f.Close() // nothing was written
	}
}
