package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stampd/stampd/pci"
)

// checkKey returns [ErrOtherKey] when the queue's file and journal hold records and none of them was sealed with the key
// at hand: another key was put in its place, and every record would be sent as unreadable. It changes nothing. What else
// is wrong is for the opening to find.
func checkKey(path, terminal string, keys *pci.Sealer) error {
	f := &File{path: path, sealer: sealer{terminal: terminal, keys: keys}, tree: map[string][]byte{}, damage: errUnchecked}
	file, err := lockEither(path)
	if errors.Is(err, ErrLocked) {
		return classify("open queue "+path, err)
	}
	if err == nil {
		f.file = file
		defer f.Close()
		if f.pages, err = mapPages(file); err == nil {
			err = guarded(func() error { f.findBuckets(); return nil })
		}
		if err == nil && f.sealer.terminal != "" && f.sealer.terminal != terminal {
			return nil
		}
		f.sealer.terminal = terminal
	}
	if err := f.readHeld(); err != nil || f.foreign || f.fits() {
		return nil
	}
	return classify("open queue "+path, ErrOtherKey)
}

// errUnchecked stands for what is not known of a file whose pages were not checked: it is read as a damaged one.
var errUnchecked = errors.New("not checked")

// fits reports whether the key at hand can open any record, or there is none.
func (f *File) fits() bool {
	found := false
	for _, lane := range []Lane{Ledger, Telemetry} {
		for e := range f.entries(recordBucketName(lane), nil) {
			id, seq, ok := parseRecordKey(lane, e.key)
			if ok && f.sealer.fits(id, seq, e.value) {
				return true
			}
			found = found || ok
		}
	}
	return !found
}

// MoveAside renames a queue's files, which no process may hold ([ErrLocked]), so that a new queue can be begun: the file
// becomes aside, and the journal [JournalOf] it. When both are renamed back, the queue is as it was.
func MoveAside(path, aside string) error {
	if Held(path) {
		return classify("set queue "+path+" aside", ErrLocked)
	}
	err := finishReplace(path)
	// The journal goes first: what is left, should the power fail now, is a file that asks for the same again.
	for _, suffix := range []string{journalSuffix, ""} {
		if err != nil {
			break
		}
		if err = os.Rename(path+suffix, aside+suffix); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("cannot set queue %s aside: %w", path, err)
	}
	return nil
}
