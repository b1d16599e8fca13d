// Package cards folds the log into members' stamp cards, and grants the rights to give rewards. It is what the backend
// sends down to terminals: the rows that changed since a position, made for the terminal that gets them.
//
// The gateway asks it on behalf of streams; the rules are those of package loyalty, which the terminal has too. What it
// keeps of the log, it can make again: the file may be deleted. What it granted it keeps apart, and never forgets before
// it is over. It never holds more members in memory than one batch of the log names.
package cards

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/programme"
)

// Options is what an [Index] is made of. Zero durations and counts are the defaults.
type Options struct {
	Log        *eventlog.Log
	Dir        string // of its two files; made when it is missing
	Programmes *programme.Store
	Logger     zerolog.Logger

	LeaseTTL  time.Duration    // how long a lease lasts that is for later; 24 h when 0
	LeasesOff bool             // grant none but those that are asked for
	Now       func() time.Time // wall clock; time.Now when nil
}

// Index is the cards of all members of all merchants. It is safe for concurrent use.
type Index struct {
	Options
	db    *bolt.DB
	id    [16]byte // random: positions of indexes with different ids have nothing to do with each other
	book  *book
	hub   hub
	ahead chan prospect

	granting sync.Mutex // held while a right is granted, and while uses of rights are stored with what they do to cards

	mu       sync.Mutex    // guards what follows
	position uint64        // of the last entry of the log that is folded, as it is on disk
	seen     uint64        // of the last one that was looked at: those after position change nothing here
	moved    chan struct{} // closed and replaced when seen changes
	caughtUp chan struct{} // closed once position has come to where the log ended at Open
	goal     uint64        // where that was
}

// defaultLeaseTTL is how long a lease lasts that is for later.
const defaultLeaseTTL = 24 * time.Hour

// Open opens the index in a folder. One that is of another log, or ahead of the log, is made anew: the log was restored
// from a copy, and its positions mean something else now.
func Open(o Options) (_ *Index, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = defaultLeaseTTL
	}
	x := &Index{
		Options: o, hub: newHub(), ahead: make(chan prospect, maxProspects),
		moved: make(chan struct{}), caughtUp: make(chan struct{}), goal: o.Log.Head(),
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of cards: %w", err)
	}
	path := filepath.Join(o.Dir, "cards.db")
	if x.db, err = openFile(path); err != nil {
		return nil, err
	}
	usable := false
	if err = x.db.Update(func(tx *bolt.Tx) (err error) { usable, err = x.prepare(tx); return err }); err == nil && !usable {
		o.Logger.Warn().Msg("cards are not of this log; they are folded anew")
		if err = errors.Join(x.db.Close(), os.Remove(path)); err == nil {
			if x.db, err = openFile(path); err == nil {
				err = x.db.Update(func(tx *bolt.Tx) error { _, err := x.prepare(tx); return err })
			}
		}
	}
	if err == nil {
		x.book, err = openBook(filepath.Join(o.Dir, "leases.db"), o.Now)
	}
	if err != nil {
		_ = x.db.Close()
		return nil, fmt.Errorf("cannot open cards: %w", err)
	}
	x.seen = x.position
	x.reach()
	return x, nil
}

// openFile opens a bbolt file, which is made when it is missing.
func openFile(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return db, nil
}

// prepare makes the buckets of a new file and reads where an old one stands. It reports whether that is of the log.
func (x *Index) prepare(tx *bolt.Tx) (usable bool, err error) {
	for _, name := range [][]byte{bucketAccounts, bucketChanged, bucketMarks, bucketLinks, bucketLives, bucketMeta} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return false, err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if meta.Get(metaFormat) == nil {
		rand.Read(x.id[:])
		return true, errors.Join(meta.Put(metaFormat, []byte(format)), meta.Put(metaLog, []byte(x.Log.ID())), meta.Put(metaID, x.id[:]))
	}
	if string(meta.Get(metaFormat)) != format || string(meta.Get(metaLog)) != x.Log.ID() {
		return false, nil
	}
	copy(x.id[:], meta.Get(metaID))
	x.position = readPosition(tx)
	return x.position <= x.goal, nil
}

func readPosition(tx *bolt.Tx) uint64 {
	if v := tx.Bucket(bucketMeta).Get(metaPosition); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// Close closes the files. Run has ended before.
func (x *Index) Close() error { return errors.Join(x.db.Close(), x.book.close()) }

// reach notes that the index has come to where the log ended when it was opened, if it has. x.mu is held, or nobody else
// has x yet.
func (x *Index) reach() {
	select {
	case <-x.caughtUp:
	default:
		if x.seen >= x.goal {
			close(x.caughtUp)
		}
	}
}

// advance notes how far the log was looked at, and how far what it says is on disk.
func (x *Index) advance(position, seen uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.position, x.seen = position, seen
	x.reach()
	close(x.moved)
	x.moved = make(chan struct{})
}

// await waits until everything up to a position of the log is folded, or ctx ends.
func (x *Index) await(ctx context.Context, position uint64) error {
	for {
		x.mu.Lock()
		seen, moved := x.seen, x.moved
		x.mu.Unlock()
		if seen >= position {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
