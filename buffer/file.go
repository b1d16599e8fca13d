package buffer

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
)

// formatVersion is the version of the file's layout that this package writes. FORMAT.md tells what each one holds.
const formatVersion = 3

// Top-level buckets, by their names on disk.
var (
	bucketMeta       = []byte("meta")
	bucketLanes      = []byte("lanes")
	bucketLedger     = []byte("ledger")
	bucketTelemetry  = []byte("telemetry")
	bucketQuarantine = []byte("quarantine")
	bucketKept       = []byte("kept")
)

// Keys of the meta bucket.
var (
	metaFormat    = []byte("format")
	metaTerminal  = []byte("terminal")
	metaJournal   = []byte("journal")
	metaJournaled = []byte("journaled")
)

// lockTimeout bounds the wait for the file's lock; bbolt waits for ever otherwise.
const lockTimeout = time.Second

// growStep is by how much the file grows at a time.
const growStep = 1 << 20

// createFile makes a queue file, which is complete when it gets its name.
func createFile(path, terminal string) error {
	unfinished := path + createSuffix
	if err := removeStale(unfinished); err != nil {
		return err
	}
	db, err := openFile(unfinished, 0, terminal)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return rename(unfinished, path)
}

// openFile opens or creates the queue file and makes sure that its layout is known. mapSize is how much address space
// is set aside, so that growing up to it never has to wait for a reader.
func openFile(path string, mapSize int64, terminal string) (*bolt.DB, error) {
	db, _, err := openHandle(path, mapSize, terminal)
	return db, err
}

// openHandle is openFile. It returns the open file, which belongs to the database, as well: see [closeFile].
func openHandle(path string, mapSize int64, terminal string) (db *bolt.DB, handle *os.File, err error) {
	if _, err := os.Stat(path); err == nil {
		if err := verify(path); err != nil {
			return nil, nil, err
		}
	}
	err = guarded(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout:         lockTimeout,
			FreelistType:    bolt.FreelistMapType,
			InitialMmapSize: int(mapSize),
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				handle = f
				return f, err
			},
		})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	db.AllocSize = growStep
	if tx, err := db.Begin(true); err == nil {
		_ = tx.Rollback() // counts the free pages: bbolt's statistics begin with a write transaction
	}
	if err := guarded(func() error { return prepared(db, terminal) }); err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, handle, nil
}

// makeDir makes a directory and what leads to it, for a file that is not there yet. When it returns nil, power cuts leave
// them there: an attempt before may have made them and failed to say so to the disk.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if err := syncDir(d); err != nil && !errors.Is(err, fs.ErrPermission) { // what may not be read was not made here
			return err
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// refresh writes the file's two meta pages once more, one after the other, so that what is read from now on is on disk:
// the last one may be in the page cache only, after a failed fdatasync or a killed process. All that it leads to was
// synced before it was written.
func refresh(path string, pageSize int) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, pageSize)
	for i := range int64(2) {
		if _, err := f.ReadAt(page, i*int64(len(page))); err != nil {
			return err
		}
		if _, err := f.WriteAt(page, i*int64(len(page))); err != nil {
			return err
		}
		if err := datasync(f); err != nil {
			return err
		}
	}
	return nil
}

// verify looks at every page of an existing file before bbolt opens it: bbolt meets a damaged page with a panic, some on
// goroutines of its own, and a missing one with SIGBUS.
func verify(path string) error {
	f, err := lockFile(path)
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	p, err := mapPages(f)
	if err != nil {
		return err
	}
	defer p.close()
	return p.check()
}

// Held reports whether a process has the queue file open for writing.
func Held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // and with it the lock
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// lockFile opens a file and waits, no longer than lockTimeout, until no process writes to it.
func lockFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 20) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if time.Now().After(deadline) {
			_ = f.Close()
			return nil, ErrLocked
		}
	}
}

// prepared makes sure that the file has this version's layout, and writes only to a new file.
func prepared(db *bolt.DB, terminal string) error {
	fresh := false
	err := db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if fresh = meta == nil; fresh {
			return nil
		}
		return known(meta, terminal)
	})
	if err != nil || !fresh {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error { return prepare(tx, terminal) })
}

// known refuses a layout that this version does not know, and another terminal's file. One of an earlier version is
// [errOldFormat].
func known(meta *bolt.Bucket, terminal string) error {
	v := meta.Get(metaFormat)
	if len(v) != 4 {
		return fmt.Errorf("%w: its format version is unreadable", errDamaged)
	}
	got := binary.BigEndian.Uint32(v)
	if got < 1 || got > formatVersion {
		return fmt.Errorf("%w: it has format %d, this version knows formats up to %d", ErrForeign, got, formatVersion)
	}
	if owner := meta.Get(metaTerminal); string(owner) != terminal {
		return fmt.Errorf("%w: it belongs to terminal %q, not to %q", ErrForeign, owner, terminal)
	}
	if got < formatVersion {
		return errOldFormat
	}
	return nil
}

// prepare creates what a new file needs.
func prepare(tx *bolt.Tx, terminal string) error {
	meta, err := tx.CreateBucket(bucketMeta)
	if err != nil {
		return err
	}
	names := [][]byte{bucketLanes, bucketLedger, bucketTelemetry, bucketQuarantine, bucketKept}
	for _, b := range userBuckets {
		names = append(names, b.name())
	}
	for _, name := range names {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	if err := meta.Put(metaTerminal, []byte(terminal)); err != nil {
		return err
	}
	return meta.Put(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion))
}

// What a file is called until it takes the place of another, and one until it is complete.
const (
	newSuffix    = ".new"
	createSuffix = ".create"
)

// finishReplace puts a new file in place when the damaged one has been set aside already.
func finishReplace(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return removeStale(path + newSuffix) // of an attempt that did not get to its end
	}
	if _, err := os.Lstat(path + newSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil // there is no queue yet
	}
	return rename(path+newSuffix, path)
}

// removeStale removes a file if it is there. On a read-only file system, what is not there is no error.
func removeStale(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setAside renames a file that can't be used, so that nothing in it is lost, and returns its new name.
func setAside(path string, now time.Time) (string, error) {
	aside := fmt.Sprintf("%s.damaged-%d", path, now.UnixNano())
	return aside, rename(path, aside)
}

// rename gives a file another name in its directory, in the place of what has that name. When it returns nil, a power cut
// leaves it so.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func newEpoch() Epoch {
	var e Epoch
	_, _ = rand.Read(e[:]) // never fails: crypto/rand ends the process instead
	return e
}
