package buffer

import (
	"bytes"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/pci"
)

// Bucket is one of the key-value spaces that the loyalty ledger keeps beside the records, in the same transactions.
// The values reach disk by their names.
type Bucket uint8

// The buckets.
const (
	Keys    Bucket = 1 // idempotency keys and the answers given
	Cards   Bucket = 2 // cards, as last computed
	Entries Bucket = 3 // the entries of each card
)

var userBuckets = []Bucket{Keys, Cards, Entries}

func (b Bucket) name() []byte {
	switch b {
	case Keys:
		return []byte("keys")
	case Cards:
		return []byte("cards")
	case Entries:
		return []byte("entries")
	}
	panic("buffer: no such bucket")
}

// ReadTx is a consistent view of the queue's buckets. Slices that it returns are valid until it ends, and must not be
// modified.
type ReadTx struct {
	q    *Queue
	tx   *bolt.Tx
	held *overlay // what the journal held then, and since; q.mu guards it
}

// Get returns the value of key, or nil.
func (r *ReadTx) Get(b Bucket, key []byte) []byte {
	r.q.mu.Lock()
	value, held := r.held.rows[nameRow(b, key)]
	r.q.mu.Unlock()
	if held {
		return value
	}
	r.q.resident.saw(r.tx, lookupBytes)
	return r.tx.Bucket(b.name()).Get(key)
}

// Scan calls fn for every key with the prefix, in order, until fn returns an error, and returns that error.
func (r *ReadTx) Scan(b Bucket, prefix []byte, fn func(key, value []byte) error) error {
	r.q.mu.Lock()
	names := r.held.under(b, prefix)
	r.q.mu.Unlock()
	c := r.tx.Bucket(b.name()).Cursor()
	for k, v := c.Seek(prefix); ; {
		inFile := k != nil && bytes.HasPrefix(k, prefix)
		switch {
		case !inFile && len(names) == 0:
			return nil
		case len(names) > 0 && (!inFile || bytes.Compare(names[0].key(), k) <= 0):
			key := names[0].key()
			names = names[1:]
			if inFile && bytes.Equal(key, k) {
				k, v = c.Next()
			}
			if value := r.Get(b, key); value != nil {
				if err := fn(key, value); err != nil {
					return err
				}
			}
		default:
			if err := fn(k, v); err != nil {
				return err
			}
			k, v = c.Next()
		}
	}
}

// Tx is one caller's part of a commit. What it writes is seen by its own reads at once, reaches the file only when the
// caller's function returns nil, and is then durable together with everything else in the commit. It is not safe for
// concurrent use, and not to be kept.
type Tx struct {
	c       *commit
	epoch   Epoch
	next    uint64 // the seq of the first record that this Tx appends
	records []pci.Clean
	writes  []write
	index   map[rowName]int // to the last write of a row

	now, until int64 // see KeepUntil
}

type write struct {
	bucket     Bucket
	key, value []byte // a nil value deletes
	kept       bool   // may go when room is needed, after the backend has the transaction's records
}

// Append adds a record to the ledger lane and returns its seq.
func (t *Tx) Append(c pci.Clean) uint64 {
	t.records = append(t.records, c)
	return t.next + uint64(len(t.records)) - 1
}

// Epoch returns the ledger's epoch: with a seq, it names a record of this terminal for all time.
func (t *Tx) Epoch() Epoch { return t.epoch }

// Get returns the value of key, or nil. The slice is valid until the transaction ends, and must not be modified.
func (t *Tx) Get(b Bucket, key []byte) []byte {
	name := nameRow(b, key)
	if i, ok := t.index[name]; ok {
		return t.writes[i].value
	}
	if value, ok := t.c.staged.rows[name]; ok {
		return value
	}
	if value, ok := t.c.q.held.rows[name]; ok && !t.c.poured {
		return value
	}
	t.c.q.resident.saw(t.c.tx, lookupBytes)
	return t.c.tx.Bucket(b.name()).Get(key)
}

// Scan calls fn for every key with the prefix, in order, until fn returns an error, and returns that error. It sees what the
// transaction wrote before. fn may write, and Scan then may or may not see it.
func (t *Tx) Scan(b Bucket, prefix []byte, fn func(key, value []byte) error) error {
	keys := map[rowName]struct{}{}
	for _, w := range t.writes {
		if w.bucket == b && bytes.HasPrefix(w.key, prefix) {
			keys[nameRow(b, w.key)] = struct{}{}
		}
	}
	for _, n := range t.c.staged.under(b, prefix) {
		keys[n] = struct{}{}
	}
	if !t.c.poured {
		for _, n := range t.c.q.held.under(b, prefix) {
			keys[n] = struct{}{}
		}
	}
	c := t.c.tx.Bucket(b.name()).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		t.c.q.resident.saw(t.c.tx, lookupBytes)
		keys[nameRow(b, k)] = struct{}{}
	}
	for _, n := range slices.Sorted(maps.Keys(keys)) {
		if value := t.Get(b, n.key()); value != nil {
			if err := fn(n.key(), value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Put sets key to value, which must not be modified afterwards. Keys are 1 to 32,768 bytes.
func (t *Tx) Put(b Bucket, key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	t.write(write{bucket: b, key: bytes.Clone(key), value: value})
}

// Keep is Put for a row that need not be kept for ever: once the backend has stored the records that this transaction
// appends, the row may go when room is needed, the oldest first.
func (t *Tx) Keep(b Bucket, key, value []byte) {
	t.write(write{bucket: b, key: bytes.Clone(key), value: value, kept: true})
}

// KeepUntil says until when the rows that this transaction keeps are wanted, and what time it is: milliseconds since 1970 by a
// clock that can be trusted. Until then such a row goes only when the ledger itself would have no room. Where nobody knows what
// time it is, now is 0 and until math.MaxInt64: the rows go with those that were kept after them.
func (t *Tx) KeepUntil(now, until int64) { t.now, t.until = now, until }

// WriteAnew asks that the file is written anew when it is opened next, so that its pages hold nothing that was deleted.
func (t *Tx) WriteAnew() { t.Put(Keys, writeAnewKey(), []byte{1}) }

// writeAnewKey is the row that [Tx.WriteAnew] leaves.
func writeAnewKey() []byte { return []byte{0} }

// IsWriteAnew reports whether a row of the keys bucket is the queue's own, left by [Tx.WriteAnew].
func IsWriteAnew(key []byte) bool { return bytes.Equal(key, writeAnewKey()) }

// Delete removes key, if it is there.
func (t *Tx) Delete(b Bucket, key []byte) {
	t.write(write{bucket: b, key: bytes.Clone(key)})
}

func (t *Tx) write(w write) {
	if t.index == nil {
		t.index = make(map[rowName]int)
	}
	t.index[nameRow(w.bucket, w.key)] = len(t.writes)
	t.writes = append(t.writes, w)
}

// size returns roughly how many bytes the transaction adds to the file.
func (t *Tx) size() int64 {
	const perRecord = 128 // key, chain head, seal and bbolt's own
	n := 0
	for _, r := range t.records {
		n += len(r.Bytes()) + perRecord
	}
	for _, w := range t.writes {
		n += len(w.key) + len(w.value)
	}
	return int64(n)
}
