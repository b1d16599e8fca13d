package buffer

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// head is the head of a lane's hash chain: head(n) = SHA-256(head(n-1) ‖ seq ‖ payload), head(0) is all zero.
type head [32]byte

// laneRecord is a lane's row in the lanes bucket.
type laneRecord struct {
	id      LaneID
	ordinal uint64 // epochs of a lane are sent in this order
	next    uint64 // the seq that the next record gets
	acked   uint64 // everything up to here is gone from the file: the backend has it
	head    head   // the chain after next-1; ledger only
}

// Sizes of a lane's key and row.
const (
	laneKeySize    = 1 + 16
	laneRecordSize = 8 + 8 + 8 + 32
)

func (r laneRecord) key() []byte {
	return append([]byte{byte(r.id.Lane)}, r.id.Epoch[:]...)
}

func (r laneRecord) put(tx *bolt.Tx) error {
	return tx.Bucket(bucketLanes).Put(r.key(), r.value())
}

func (r laneRecord) value() []byte {
	v := make([]byte, 0, laneRecordSize)
	v = binary.BigEndian.AppendUint64(v, r.ordinal)
	v = binary.BigEndian.AppendUint64(v, r.next)
	v = binary.BigEndian.AppendUint64(v, r.acked)
	return append(v, r.head[:]...)
}

func parseLaneRecord(k, v []byte) (laneRecord, error) {
	var r laneRecord
	if len(k) != 1+len(r.id.Epoch) || len(v) != laneRecordSize {
		return r, fmt.Errorf("%w: a lane's state is unreadable", errDamaged)
	}
	r.id.Lane = Lane(k[0])
	copy(r.id.Epoch[:], k[1:])
	r.ordinal = binary.BigEndian.Uint64(v)
	r.next = binary.BigEndian.Uint64(v[8:])
	r.acked = binary.BigEndian.Uint64(v[16:])
	copy(r.head[:], v[24:])
	if r.id.Lane != Ledger && r.id.Lane != Telemetry || r.next == 0 || r.acked >= r.next {
		return r, fmt.Errorf("%w: a lane's state makes no sense", errDamaged)
	}
	return r, nil
}

// lane is what the queue knows of one lane in one epoch, in memory. Queue.mu guards it.
type lane struct {
	laneRecord        // as last committed; for telemetry in memory, ahead of the file
	oldest     uint64 // the oldest seq still held, on disk or in memory
	told       uint64 // everything up to here was acknowledged; the file follows with the next commit
	stored     uint64 // the last seq that the file may hold; the ledger's later ones, and perhaps telemetry's, are in the journal
}

// untrimmed returns how many acknowledged records the file may still hold.
func (l *lane) untrimmed() uint64 {
	through := min(l.told, l.stored)
	return through - min(through, l.acked)
}

func (l *lane) state() LaneState {
	return LaneState{LaneID: l.id, Oldest: min(max(l.oldest, l.told+1), l.next), Next: l.next, Acked: l.told}
}

// recordKey is where a record lies in its lane's bucket: epoch ‖ seq.
func recordKey(id LaneID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, len(id.Epoch)+8), id.Epoch[:]...), seq)
}

// parseRecordKey reads what [recordKey] made for a lane.
func parseRecordKey(l Lane, key []byte) (id LaneID, seq uint64, ok bool) {
	id = LaneID{Lane: l}
	if len(key) != len(id.Epoch)+8 {
		return id, 0, false
	}
	copy(id.Epoch[:], key)
	return id, binary.BigEndian.Uint64(key[len(id.Epoch):]), true
}

// quarantineKey is where a refused record lies: lane ‖ epoch ‖ seq.
func quarantineKey(id LaneID, seq uint64) []byte {
	return append([]byte{byte(id.Lane)}, recordKey(id, seq)...)
}

func parseQuarantineKey(key []byte) (id LaneID, seq uint64, ok bool) {
	if len(key) == 0 {
		return id, 0, false
	}
	return parseRecordKey(Lane(key[0]), key[1:])
}

func recordBucket(tx *bolt.Tx, l Lane) *bolt.Bucket {
	return tx.Bucket(recordBucketName(l))
}

func recordBucketName(l Lane) []byte {
	if l == Ledger {
		return bucketLedger
	}
	return bucketTelemetry
}

// loaded is what the file says of its lanes, and what the journal adds.
type loaded struct {
	lanes       []*lane
	ordinal     uint64 // the highest of all
	quarantined uint64
	generation  uint64   // the journal's first that the file does not have
	held        *overlay // what the journal holds
	journaled   bool     // it has a journal
	journalSize int64    // how large that is at least, in bytes
	created     bool     // it was made just now
	handle      *os.File // of the file
	pourFirst   bool     // the journal can't be gone on with before the file has taken it over
}

// lay moves the lanes on to where the journal is.
func (f *loaded) lay(held *overlay) {
	f.held = held
	for id, t := range held.lanes {
		f.ordinal = max(f.ordinal, t.row.ordinal)
		first := t.records[0].seq
		i := slices.IndexFunc(f.lanes, func(l *lane) bool { return l.id == id })
		if i < 0 {
			l := &lane{laneRecord: t.row, oldest: first, told: t.row.acked, stored: t.row.next - 1}
			f.lanes = append(f.lanes, l)
			continue
		}
		if l := f.lanes[i]; t.row.next > l.next {
			if l.oldest == l.next { // the file has none of the lane's records
				l.oldest = max(first, l.next)
			}
			l.next, l.head, l.stored = t.row.next, t.row.head, t.row.next-1
		}
	}
}

// loadLanes reads every lane's state and finds its oldest record.
func loadLanes(tx *bolt.Tx) (*loaded, error) {
	b, quarantine := tx.Bucket(bucketLanes), tx.Bucket(bucketQuarantine)
	if b == nil || quarantine == nil || tx.Bucket(bucketLedger) == nil || tx.Bucket(bucketTelemetry) == nil || tx.Bucket(bucketKept) == nil {
		return nil, fmt.Errorf("%w: a bucket is missing", errDamaged)
	}
	found := &loaded{quarantined: uint64(quarantine.Stats().KeyN), generation: generationOf(tx.Bucket(bucketMeta).Get(metaJournal))}
	journaled := tx.Bucket(bucketMeta).Get(metaJournaled)
	found.journaled, found.journalSize = journaled != nil, journalSizeOf(journaled)
	err := b.ForEach(func(k, v []byte) error {
		r, err := parseLaneRecord(k, v)
		if err != nil {
			return err
		}
		l := &lane{laneRecord: r, oldest: r.next, told: r.acked, stored: r.next - 1}
		first := recordKey(r.id, r.acked+1)
		k, _ = recordBucket(tx, r.id.Lane).Cursor().Seek(first)
		if len(k) == len(first) && string(k[:len(k)-8]) == string(first[:len(first)-8]) {
			l.oldest = binary.BigEndian.Uint64(k[len(k)-8:])
		}
		found.lanes = append(found.lanes, l)
		found.ordinal = max(found.ordinal, r.ordinal)
		return nil
	})
	return found, err
}
