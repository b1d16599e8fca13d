package buffer

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Why a file was set aside, or is gone.
const (
	Damaged  = "damage"   // its contents can't be used
	Replaced = "replaced" // it took the name of a file in use, which was written again: nothing is lost
	Gone     = "gone"     // somebody has removed it while the agent did not run: what was only in it is lost
)

// Salvage is what became of a file that could not be used.
type Salvage struct {
	File       string // its new name; it is left as it was
	Reason     string // one of the reasons above
	Records    uint64 // records of both lanes that are in the new file, under their own epochs and numbers
	Missing    uint64 // ledger records that the file should have had and that could not be found
	Unreadable uint64 // records that were found and could not be opened
	Rows       uint64 // keys, cards, entries and quarantined records that are in the new file
}

// salvageChunk is how many rows go into one transaction.
const salvageChunk = 2048

// wreck is what was read of a damaged file. Everything in it lies in the mapped file.
type wreck struct {
	lanes      map[LaneID]laneRecord
	records    map[LaneID]map[uint64][]byte
	rows       map[string][]element // of the ledger's buckets and the quarantine, by bucket
	unreadable uint64
	generation uint64 // the journal's first that the file does not have; 0 when that can't be read
}

// salvage copies what can still be read of a damaged file and of its journal into a new one. What the tree still leads to
// is taken as it is; for the ledger every page of the file is looked through as well, since a record proves by its seal
// that it is one. least is the lowest generation that the new file may wait for.
func salvage(db *bolt.DB, damaged string, s sealer, journal *replay, least uint64) (Salvage, error) {
	saved := Salvage{Reason: Damaged}
	f, err := os.Open(damaged)
	if err != nil {
		return saved, err
	}
	defer f.Close()
	w := &wreck{lanes: map[LaneID]laneRecord{}, records: map[LaneID]map[uint64][]byte{}, rows: map[string][]element{}}
	p, err := mapPages(f)
	if err != nil && !errors.Is(err, errDamaged) {
		return saved, err
	}
	size := int64(0)
	if err == nil { // else it is too short to hold anything
		defer p.close()
		size = int64(len(p.raw))
		w.follow(p, s)
	}
	w.lay(journal, s)
	if p != nil {
		p.scan(func(e element) { w.consider(e, s) })
	}
	w.settle(uint64(size) + uint64(journalMax))
	saved.Unreadable = w.unreadable
	if err := w.store(db, &saved); err != nil {
		return saved, err
	}
	return saved, putRows(db, []row{{bucketMeta, metaJournal, binary.BigEndian.AppendUint64(nil, max(w.generation, journal.generation+1, least))}})
}

// lay adds what the journal holds. Its records always count; its rows do where there are no others, or when the file was
// still to take them over.
func (w *wreck) lay(journal *replay, s sealer) {
	for id, t := range journal.held.lanes {
		if r, known := w.lanes[id]; !known || t.row.next > r.next {
			t.row.acked = r.acked
			w.lanes[id] = t.row
		}
		for _, r := range t.records {
			w.record(id.Lane, element{key: recordKey(id, r.seq), value: r.value}, s, true)
		}
	}
	newer := w.generation > 0 && journal.generation >= w.generation
	for _, b := range userBuckets {
		bucket := string(b.name())
		w.rows[bucket] = slices.DeleteFunc(w.rows[bucket], func(e element) bool {
			name := nameRow(b, e.key)
			_, other := journal.held.rows[name]
			if other && !newer {
				delete(journal.held.rows, name)
			}
			return other && newer
		})
	}
	for name, value := range journal.held.rows {
		if value != nil {
			bucket := string(name.bucket().name())
			w.rows[bucket] = append(w.rows[bucket], element{key: name.key(), value: value})
		}
	}
}

// follow reads every bucket that the tree still leads to.
func (w *wreck) follow(p *pages, s sealer) {
	p.walk(p.root(), func(b element) {
		if !b.sub {
			return
		}
		name := string(b.key)
		p.bucket(b.value, func(e element) {
			switch name {
			case string(bucketLanes):
				w.row(e)
			case string(bucketLedger):
				w.record(Ledger, e, s, true)
			case string(bucketTelemetry):
				w.record(Telemetry, e, s, true)
			case string(bucketMeta):
				if string(e.key) == string(metaJournal) {
					w.generation = generationOf(e.value)
				}
			default:
				w.rows[name] = append(w.rows[name], e)
			}
		})
	})
}

// consider takes an entry of any page, reachable or not, if it proves to be a ledger record. One that the lane's state
// does not know of was being written when the power went, and nobody was told that it is stored.
func (w *wreck) consider(e element, s sealer) {
	id, seq, ok := parseRecordKey(Ledger, e.key)
	if r, known := w.lanes[id]; !ok || known && seq >= r.next {
		return
	}
	w.record(Ledger, e, s, false)
}

// row takes a lane's state.
func (w *wreck) row(e element) {
	if r, err := parseLaneRecord(e.key, e.value); err == nil {
		w.lanes[r.id] = r
	}
}

// record takes a record if it can be opened.
func (w *wreck) record(l Lane, e element, s sealer, counted bool) {
	id, seq, ok := parseRecordKey(l, e.key)
	if !ok || w.records[id][seq] != nil {
		return
	}
	if _, err := s.open(id, seq, e.value); err != nil {
		if counted {
			w.unreadable++
		}
		return
	}
	if w.records[id] == nil {
		w.records[id] = map[uint64][]byte{}
	}
	w.records[id][seq] = e.value
}

// settle makes every lane's state fit its records, and believes no state that is far ahead of them.
func (w *wreck) settle(believable uint64) {
	for id, records := range w.records {
		r := w.lanes[id]
		r.id = id
		newest := r.acked
		for seq := range records {
			newest = max(newest, seq)
		}
		if r.next <= r.acked || r.next > newest+believable {
			r.next = r.acked + 1
		}
		for seq, value := range records {
			if seq >= r.next {
				r.next = seq + 1
				if id.Lane == Ledger {
					copy(r.head[:], value)
				}
			}
		}
		w.lanes[id] = r
	}
}

// store writes everything into the new file: the lanes and their records first, then what was kept beside them.
func (w *wreck) store(db *bolt.DB, saved *Salvage) error {
	for id, r := range w.lanes {
		rows := []row{{bucketLanes, r.key(), r.value()}}
		for seq, value := range w.records[id] {
			if seq > r.acked {
				rows = append(rows, row{recordBucketName(id.Lane), recordKey(id, seq), value})
			}
		}
		if err := putRows(db, rows); err != nil {
			return err
		}
		found := uint64(len(rows) - 1)
		saved.Records += found
		if id.Lane == Ledger {
			saved.Missing += r.next - 1 - r.acked - found
		}
	}
	for name, elements := range w.rows {
		var rows []row
		for _, e := range elements {
			if plausible(name, e) {
				rows = append(rows, row{[]byte(name), e.key, e.value})
			}
		}
		if err := putRows(db, rows); err != nil {
			return err
		}
		saved.Rows += uint64(len(rows))
	}
	return nil
}

// plausible reports whether a row may be believed, as far as its shape tells. FORMAT.md says what it must be.
func plausible(bucket string, e element) bool {
	if e.sub {
		return false
	}
	switch bucket {
	case string(Keys.name()):
		return len(e.key) >= 2 && len(e.value) >= 40
	case string(Cards.name()), string(Entries.name()):
		return len(e.value) == 4
	case string(bucketKept):
		return len(e.key) == 8 && len(e.value) >= 16
	case string(bucketQuarantine):
		return len(e.key) == 1+16+8 && len(e.value) > 0
	}
	return false // a bucket that this version does not know
}

// row is a row for a bucket.
type row struct{ bucket, key, value []byte }

// putRows writes rows in transactions of a bounded size.
func putRows(db *bolt.DB, rows []row) error {
	for chunk := range slices.Chunk(rows, salvageChunk) {
		err := db.Update(func(tx *bolt.Tx) error {
			for _, r := range chunk {
				if err := tx.Bucket(r.bucket).Put(r.key, r.value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
