package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/cli"
)

// Why a queue's files were set aside before it was opened, as Audit.found tells it.
const (
	keyMissing = "key missing" // there was no key file
	keyDamaged = "key damaged" // what was in the key file was no key
	keyDiffers = "key differs" // the key file held another key than the records were sealed with
)

// unopened is a file that was set aside because its key was not at hand.
type unopened struct{ path, found string }

// openQueue opens the queue with its key. The shop has to go on without the right key: a queue whose records can't be
// opened with what is at hand is set aside, and a new one is begun.
func (a *agent) openQueue() (*buffer.Queue, error) {
	cfg := a.cfg.Queue
	key, err := a.queueKey()
	if err != nil {
		return nil, err
	}
	keys, err := pci.NewSealer(key)
	if err != nil {
		return nil, err
	}
	opts := buffer.Options{
		Path:            cfg.Path,
		Terminal:        a.cfg.Terminal.ID,
		Keys:            keys,
		MaxSize:         int64(cfg.MaxSize),
		LedgerReserve:   int64(cfg.LedgerReserve),
		TelemetryMemory: int(cfg.TelemetryMemory),
		SpillAfter:      cfg.SpillAfter.Duration,
		Log:             a.log.With().Str("part", "queue").Logger(),
	}
	q, err := buffer.Open(opts)
	if errors.Is(err, buffer.ErrOtherKey) {
		if err := a.setAside(keyDiffers); err != nil {
			return nil, err
		}
		q, err = buffer.Open(opts)
	}
	if errors.Is(err, buffer.ErrForeign) {
		err = cli.WithHint(err, fmt.Sprintf("if this is the terminal's own disk, move %s and %s away and start again: a new queue is begun; if not, "+
			"set terminal.id to the terminal that they belong to", cfg.Path, buffer.JournalOf(cfg.Path)))
	}
	return q, err
}

// queueKey loads the queue's key. A key that is gone, or that is none, is replaced by a new one.
func (a *agent) queueKey() (key [32]byte, err error) {
	path := a.cfg.Queue.KeyFile
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return key, withDiskHint(fmt.Errorf("cannot make the folder of the queue's key: %w", err), filepath.Dir(path))
	}
	key, err = pci.LoadKey(path)
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, fs.ErrNotExist):
		err = a.setAside(keyMissing)
	case errors.Is(err, pci.ErrNoKey):
		err = a.setAsideKey()
	}
	if err != nil {
		return key, withDiskHint(err, filepath.Dir(path))
	}
	key, err = pci.LoadOrCreateKey(path)
	return key, withDiskHint(err, filepath.Dir(path))
}

// setAside moves the queue's files away, if there are any: with the key that is at hand nothing in them could be opened.
func (a *agent) setAside(found string) error {
	cfg := a.cfg.Queue
	if !anyFile(cfg.Path, buffer.JournalOf(cfg.Path)) {
		return nil
	}
	aside := fmt.Sprintf("%s.without-key-%d", cfg.Path, time.Now().UnixNano())
	if err := buffer.MoveAside(cfg.Path, aside); err != nil {
		return err
	}
	a.unopened = append(a.unopened, unopened{aside, found})
	a.log.Error().Str("key", cfg.KeyFile).Str("found", found).Str("file", aside).
		Str("hint", fmt.Sprintf("to deliver what is in it: 'stampd flush', 'systemctl stop stampd', move %s and %s away, put the right key into %s, "+
			"rename %s to %s and %s to %s, 'systemctl start stampd'",
			cfg.Path, buffer.JournalOf(cfg.Path), cfg.KeyFile, aside, cfg.Path, buffer.JournalOf(aside), buffer.JournalOf(cfg.Path))).
		Msg("the queue's key is not at hand; the file is set aside, and a new one is begun")
	return nil
}

// setAsideKey moves a key file away that holds no key, after the files whose records were sealed with what it held.
func (a *agent) setAsideKey() error {
	path, before := a.cfg.Queue.KeyFile, len(a.unopened)
	if err := a.setAside(keyDamaged); err != nil {
		return err
	}
	aside := fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano())
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("cannot set the damaged key of the queue aside: %w", err)
	}
	if len(a.unopened) == before { // there was no queue
		a.unopened = append(a.unopened, unopened{aside, keyDamaged})
	}
	a.log.Error().Str("key", path).Str("file", aside).Msg("the queue's key file holds no key; it is set aside, and a new key is made")
	return nil
}

func anyFile(paths ...string) bool {
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// withDiskHint adds what to do about a disk that does not let the agent make its files in dir.
func withDiskHint(err error, dir string) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return cli.WithHint(err, "the disk is full: free a megabyte or more where "+dir+" is, and start again")
	case errors.Is(err, syscall.EROFS):
		return cli.WithHint(err, "mount the disk of "+dir+" for writing, and start again")
	case errors.Is(err, fs.ErrPermission):
		return cli.WithHint(err, fmt.Sprintf("let user %d, who runs stampd, read and write what is in %s, or start stampd as the user who may", os.Geteuid(), dir))
	}
	return err
}
