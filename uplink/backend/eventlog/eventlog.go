// Package eventlog is the backend's log: everything that terminals sent, once, in the order in which it was stored, and
// on disk before anybody is told so.
//
// The gateway appends to it, and landers read it. A terminal's records are deduplicated by its watermarks, which change
// in the same transaction as the records. The log never changes or removes an entry, and never retries a failed commit:
// what a disk did with half a commit is only known after a restart.
package eventlog

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/stampd/stampd/buffer/group"
)

// format is the version of the file's layout, kept in it.
const format = "stampd-eventlog/1"

// The file has four buckets: entries by offset (8 bytes, big endian), watermarks by terminal, epoch and lane, the clocks
// of boots by terminal and boot id, and meta with the keys below.
var (
	bucketEntries    = []byte("entries")
	bucketWatermarks = []byte("watermarks")
	bucketBoots      = []byte("boots")
	bucketMeta       = []byte("meta")
	metaFormat       = []byte("format")
	metaID           = []byte("id")
)

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

var (
	// ErrClosed means that the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrFailed means that a commit failed. Nothing more can be stored by this process; it must be started anew.
	ErrFailed = errors.New("log failed")
	// ErrLocked means that another process has the log open.
	ErrLocked = errors.New("log is in use by another process")
)

// Log is an open log. It is safe for concurrent use.
type Log struct {
	db    *bolt.DB
	id    string
	group *group.Group[*appendOp]

	mu      sync.Mutex    // guards what follows
	head    uint64        // the offset of the last entry
	changed chan struct{} // closed when head or err changes, and replaced
	err     error         // why nothing more can be stored
	failed  chan struct{} // closed when err wraps ErrFailed
}

// Open opens the log in the file at path, and makes it when there is none. It returns [ErrLocked] when another process
// has it open.
func Open(path string) (*Log, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        lockWait,
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("cannot open log %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open log %s: %w", path, err)
	}
	l := &Log{db: db, changed: make(chan struct{}), failed: make(chan struct{})}
	l.group = group.New(l.commit)
	if err := db.Update(l.prepare); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("cannot open log %s: %w", path, err)
	}
	return l, nil
}

// prepare makes the buckets of a new file, and reads what the log keeps in memory.
func (l *Log) prepare(tx *bolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		var err error
		if meta, err = tx.CreateBucket(bucketMeta); err != nil {
			return err
		}
		var id [16]byte
		rand.Read(id[:])
		if err := errors.Join(meta.Put(metaFormat, []byte(format)), meta.Put(metaID, id[:])); err != nil {
			return err
		}
	}
	if got := string(meta.Get(metaFormat)); got != format {
		return fmt.Errorf("its format is %q, want %q", got, format)
	}
	l.id = hex.EncodeToString(meta.Get(metaID))
	for _, name := range [][]byte{bucketEntries, bucketWatermarks, bucketBoots} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	if last, _ := tx.Bucket(bucketEntries).Cursor().Last(); last != nil {
		l.head = binary.BigEndian.Uint64(last)
	}
	return nil
}

// ID returns the log's random name, 32 hex digits: offsets of logs with different names have nothing to do with each
// other.
func (l *Log) ID() string { return l.id }

// Head returns the offset of the last entry, 0 when there is none.
func (l *Log) Head() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Failed returns a channel that is closed when a commit has failed and the process should end.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Close closes the log, after the commit that is on its way and the reads. Appends that follow return [ErrClosed].
func (l *Log) Close() error {
	l.stop(ErrClosed)
	return l.db.Close()
}

// stop makes every later append return err.
func (l *Log) stop(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.wake()
	if errors.Is(err, ErrFailed) {
		close(l.failed)
	}
}

// wake tells everybody who waits. l.mu is held.
func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}
