package buffer

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/stampd/stampd/pci"
)

// File is a queue file with its journal that no process writes to, for looking at it. Nothing on disk changes by it: it opens what it
// reads for reading only, trims and begins nothing, and works on a read-only file system. What makes no sense is passed
// over, and [File.Damage] says so. While it is open no queue can be opened on the file. It is not safe for concurrent
// use, but an iteration may begin inside another.
type File struct {
	path    string
	file    *os.File // holds the lock
	pages   *pages   // nil when the file is too short to have any
	sealer  sealer
	damage  error
	used    int64
	tree    map[string][]byte // the buckets' headers, by name
	held    held
	journal error // what is wrong with the journal
	foreign bool  // it is another terminal's
}

// OpenReadOnly opens the queue file at path, damaged or not. keys opens the records; nil leaves them closed. Records are
// bound to a terminal: it is the one that the file names. Errors: [ErrLocked] while an agent holds the file, [ErrForeign]
// for a format of a later version, and those of package os, such as [fs.ErrNotExist] and [fs.ErrPermission].
func OpenReadOnly(path string, keys *pci.Sealer) (*File, error) {
	f, err := lockEither(path)
	if err != nil {
		return nil, err
	}
	q := &File{path: path, file: f, sealer: sealer{keys: keys}, tree: map[string][]byte{}}
	q.pages, err = mapPages(f)
	switch {
	case errors.Is(err, errDamaged):
		q.damage = err
	case err != nil:
		return nil, errors.Join(err, f.Close())
	default:
		q.damage = guarded(q.look)
	}
	if v := q.State().Format; v > formatVersion {
		return nil, errors.Join(fmt.Errorf("%w: it has format %d, this version knows format %d", ErrForeign, v, formatVersion), q.Close())
	}
	if err := q.readHeld(); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

// lockEither is lockFile for a queue file, or for the replacement of one whose last step is left to the next start.
func lockEither(path string) (*os.File, error) {
	f, err := lockFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = lockFile(path + newSuffix)
	}
	return f, err
}

// Close lets go of the file. What came from it must not be used afterwards.
func (f *File) Close() error {
	if f.pages != nil {
		f.pages.close()
	}
	return f.file.Close() // and with it the lock
}

// look checks every page, and finds the buckets and the terminal.
func (f *File) look() error {
	damage := f.pages.check()
	f.damage = damage
	for _, seen := range f.pages.seen {
		if seen {
			f.used += int64(f.pages.size)
		}
	}
	f.used += 2 * int64(f.pages.size) // the metas
	f.findBuckets()
	return damage
}

// findBuckets finds the buckets, and in them the terminal.
func (f *File) findBuckets() {
	f.seek(f.pages.root(), nil, func(e element) bool {
		if e.sub {
			f.tree[string(e.key)] = e.value
		}
		return true
	})
	f.sealer.terminal = string(f.meta(metaTerminal))
}

// Damage returns what is wrong with the file's pages or with its journal, or nil.
func (f *File) Damage() error { return errors.Join(f.damage, f.journalDamage()) }

// Foreign reports whether the journal is another terminal's. No queue can be opened on the file then: see [ErrForeign].
func (f *File) Foreign() bool { return f.foreign }

func (f *File) journalDamage() error {
	if f.journal == nil {
		return nil
	}
	return fmt.Errorf("its journal is damaged: %w", f.journal)
}

// ParseEpoch returns the epoch that [Epoch.String] has written.
func ParseEpoch(s string) (Epoch, error) {
	var e Epoch
	if len(s) != 2*len(e) {
		return e, errEpoch
	}
	if _, err := hex.Decode(e[:], []byte(s)); err != nil {
		return Epoch{}, errEpoch
	}
	return e, nil
}

var errEpoch = errors.New("cannot read epoch: want 32 hexadecimal digits")

// FileState is how a queue file is.
type FileState struct {
	Path     string
	Format   uint32 // 0 when it can't be read
	Terminal string // whose it is; empty when it can't be read
	Size     int64  // bytes
	Used     int64  // bytes of the file that hold something
	Aside    []Aside
}

// Aside is a file beside the queue's that was set aside and is not looked at any more.
type Aside struct {
	Path string
	Size int64 // bytes
}

// State returns how the file is.
func (f *File) State() FileState {
	s := FileState{Path: f.path, Terminal: f.sealer.terminal, Used: f.used, Aside: AsideOf(f.path)}
	if v := f.meta(metaFormat); len(v) == 4 {
		s.Format = binary.BigEndian.Uint32(v)
	}
	if info, err := f.file.Stat(); err == nil {
		s.Size = info.Size()
	}
	return s
}

// JournalOf returns the path of the journal that belongs to the queue file at path. Where the one is moved, the other has
// to go first.
func JournalOf(path string) string { return path + journalSuffix }

// AsideOf returns the files that were set aside beside the queue file at path, the oldest first.
func AsideOf(path string) []Aside {
	var found []Aside
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if !ours || !strings.HasPrefix(strings.TrimPrefix(rest, "journal."), "damaged-") && !strings.HasPrefix(rest, "without-key-") || strings.HasSuffix(rest, journalSuffix) {
			continue
		}
		if info, err := e.Info(); err == nil {
			found = append(found, Aside{filepath.Join(filepath.Dir(path), e.Name()), info.Size()})
		}
	}
	return found
}

// Lanes returns every lane that has a row in the file, as [Queue.Lanes] does. Of a damaged file also those whose row is
// gone, as their records tell.
func (f *File) Lanes() []LaneState {
	rows := f.laneRows()
	if f.damage != nil {
		rows = f.withRowless(rows)
	}
	sort.Slice(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		return cmp.Or(cmp.Compare(a.id.Lane, b.id.Lane), cmp.Compare(a.ordinal, b.ordinal), bytes.Compare(a.id.Epoch[:], b.id.Epoch[:])) < 0
	})
	states := make([]LaneState, 0, len(rows))
	for _, r := range rows {
		s := LaneState{LaneID: r.id, Oldest: r.next, Next: r.next, Acked: r.acked}
		for record := range f.stored(r.id, r.acked+1) {
			s.Oldest = min(record.Seq, r.next)
			break
		}
		states = append(states, s)
	}
	return states
}

// laneRows returns the rows of lanes that make sense.
func (f *File) laneRows() (rows []laneRecord) {
	for e := range f.entries(bucketLanes, nil) {
		if r, err := parseLaneRecord(e.key, e.value); err == nil {
			rows = append(rows, r)
		}
	}
	return rows
}

// withRowless adds the lanes that have records and no row.
func (f *File) withRowless(rows []laneRecord) []laneRecord {
	known := map[LaneID]bool{}
	for _, r := range rows {
		known[r.id] = true
	}
	found := map[LaneID]*laneRecord{}
	for _, lane := range []Lane{Ledger, Telemetry} {
		for e := range f.entries(recordBucketName(lane), nil) {
			id, seq, ok := parseRecordKey(lane, e.key)
			if !ok || known[id] || seq == 0 || seq == math.MaxUint64 {
				continue
			}
			if found[id] == nil {
				found[id] = &laneRecord{id: id, acked: seq - 1}
			}
			found[id].next = max(found[id].next, seq+1)
		}
	}
	for _, r := range found {
		rows = append(rows, *r)
	}
	return rows
}

// Stored is a record as it lies in the queue.
type Stored struct {
	LaneID
	Record
	Sealed  []byte // as FORMAT.md tells; valid until the file is closed
	Problem error  // why there is no payload; nil when there is
	Reason  uint8  // why the backend refused it; 0 when it is not in quarantine
}

// Records returns the records of a lane from the given seq on, in order. Those that can't be opened are among them.
func (f *File) Records(id LaneID, from uint64) iter.Seq[Stored] {
	return func(yield func(Stored) bool) {
		for r := range f.stored(id, from) {
			if !yield(f.opened(r)) {
				return
			}
		}
	}
}

// Size returns how many bytes the records of a lane take in the file, sealed as they are.
func (f *File) Size(id LaneID) int64 {
	var n int64
	for r := range f.stored(id, 0) {
		n += int64(len(r.Sealed))
	}
	return n
}

// Quarantine returns the records that the backend refused, by lane, epoch and seq.
func (f *File) Quarantine() iter.Seq[Stored] {
	return func(yield func(Stored) bool) {
		for e := range f.entries(bucketQuarantine, nil) {
			r, err := parseQuarantined(e.key, e.value)
			if err == nil {
				r = f.opened(r)
			}
			r.Problem = errors.Join(r.Problem, err)
			if !yield(r) {
				return
			}
		}
	}
}

// Rows returns the rows of a bucket from the key low on, in the order of their keys; nil is all of them. They are valid
// until the file is closed.
func (f *File) Rows(b Bucket, low []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for e := range f.entries(b.name(), low) {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// Complete reports whether every row that was ever written to the ledger's buckets must still be there: no record of the
// ledger has been acknowledged, and so nothing was let go.
func (f *File) Complete() bool {
	first := false
	for e := range f.entries(bucketLanes, nil) {
		r, err := parseLaneRecord(e.key, e.value)
		if err != nil || r.id.Lane == Ledger && r.acked > 0 {
			return false
		}
		first = first || r.ordinal == 1
	}
	return first
}

// stored returns the records of a lane from a seq on, without opening them.
func (f *File) stored(id LaneID, from uint64) iter.Seq[Stored] {
	return func(yield func(Stored) bool) {
		for e := range f.entries(recordBucketName(id.Lane), recordKey(id, from)) {
			its, seq, ok := parseRecordKey(id.Lane, e.key)
			if !ok || its != id {
				return
			}
			r := Stored{LaneID: id, Sealed: e.value}
			r.Seq = seq
			if !yield(r) {
				return
			}
		}
	}
}

// errNoKey says that a record was not tried to open.
var errNoKey = errors.New("the queue's key is not at hand")

// opened returns r with what its seal holds.
func (f *File) opened(r Stored) Stored {
	if f.sealer.keys == nil {
		r.Problem = errNoKey
		return r
	}
	r.Record, r.Problem = f.sealer.open(r.LaneID, r.Seq, r.Sealed)
	return r
}

func parseQuarantined(k, v []byte) (Stored, error) {
	var r Stored
	id, seq, ok := parseQuarantineKey(k)
	if !ok || len(v) == 0 {
		return r, errors.New("a row of the quarantine is unreadable")
	}
	r.LaneID, r.Seq, r.Reason, r.Sealed = id, seq, v[0], v[1:]
	return r, nil
}

func (f *File) meta(key []byte) []byte {
	for e := range f.entries(bucketMeta, key) {
		if bytes.Equal(e.key, key) {
			return e.value
		}
		break
	}
	return nil
}
