package buffer

import (
	"encoding/binary"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Salvage is what became of a damaged file.
type Salvage struct {
	File       string // its new name; it is left as it was
	Records    uint64 // records of both lanes that are in the new file, under their own epochs and numbers
	Missing    uint64 // ledger records that the file should have had and that could not be found
	Unreadable uint64 // records that were found and could not be opened
	Rows       uint64 // keys, cards and entries that are in the new file
}

// salvageChunk is how many rows go into one transaction.
const salvageChunk = 2048

// wreck is what was read of a damaged file. Everything in it lies in the mapped file.
type wreck struct {
	lanes      map[LaneID]laneRecord
	records    map[LaneID]map[uint64][]byte
	rows       map[string][]element // of the ledger's buckets and the quarantine, by bucket
	unreadable uint64
}

// salvage copies what can still be read of a damaged file into a new one. What the tree still leads to is taken as it
// is; for the ledger every page of the file is looked through as well, since a record proves by its seal that it is one.
func salvage(db *bolt.DB, aside string, s sealer) (Salvage, error) {
	saved := Salvage{File: aside}
	f, err := os.Open(aside)
	if err != nil {
		return saved, err
	}
	defer f.Close()
	p, err := mapPages(f)
	if err != nil {
		return saved, err
	}
	defer p.close()

	w := &wreck{lanes: map[LaneID]laneRecord{}, records: map[LaneID]map[uint64][]byte{}, rows: map[string][]element{}}
	w.follow(p, s)
	p.scan(func(e element) { w.consider(e, s) })
	w.settle(uint64(len(p.raw)))
	err = w.store(db, &saved)
	saved.Unreadable = w.unreadable
	return saved, err
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
			default:
				w.rows[name] = append(w.rows[name], e)
			}
		})
	})
}

// consider takes an entry of any page, reachable or not, if it proves to be a ledger record. One that the lane's state
// does not know of was being written when the power went, and nobody was told that it is stored.
func (w *wreck) consider(e element, s sealer) {
	id := LaneID{Lane: Ledger}
	if len(e.key) != len(id.Epoch)+8 {
		return
	}
	copy(id.Epoch[:], e.key)
	if r, known := w.lanes[id]; known && binary.BigEndian.Uint64(e.key[len(id.Epoch):]) >= r.next {
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
	id := LaneID{Lane: l}
	if len(e.key) != len(id.Epoch)+8 {
		return
	}
	copy(id.Epoch[:], e.key)
	seq := binary.BigEndian.Uint64(e.key[len(id.Epoch):])
	if w.records[id][seq] != nil {
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
		if r.next == 0 || r.next > newest+believable {
			r.next = 1
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

// store writes everything into the new file.
func (w *wreck) store(db *bolt.DB, saved *Salvage) error {
	out := &chunked{db: db}
	for id, r := range w.lanes {
		missing := r.next - 1 - min(r.acked, r.next-1)
		for seq, value := range w.records[id] {
			if seq <= r.acked {
				continue
			}
			saved.Records++
			missing--
			if err := out.put(recordBucketName(id.Lane), recordKey(id, seq), value); err != nil {
				return err
			}
		}
		if id.Lane == Ledger {
			saved.Missing += missing
		}
		if err := out.put(bucketLanes, r.key(), r.value()); err != nil {
			return err
		}
	}
	for name, rows := range w.rows {
		for _, e := range rows {
			saved.Rows++
			if err := out.put([]byte(name), e.key, e.value); err != nil {
				return err
			}
		}
	}
	return out.flush()
}

// chunked writes many rows in transactions of a bounded size.
type chunked struct {
	db   *bolt.DB
	rows [][3][]byte
}

func (c *chunked) put(bucket, key, value []byte) error {
	c.rows = append(c.rows, [3][]byte{bucket, key, value})
	if len(c.rows) < salvageChunk {
		return nil
	}
	return c.flush()
}

func (c *chunked) flush() error {
	err := c.db.Update(func(tx *bolt.Tx) error {
		for _, r := range c.rows {
			b := tx.Bucket(r[0])
			if b == nil {
				continue // a bucket that this version does not know
			}
			if err := b.Put(r[1], r[2]); err != nil {
				return err
			}
		}
		return nil
	})
	c.rows = c.rows[:0]
	return err
}
