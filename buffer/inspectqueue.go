package buffer

import (
	bolt "go.etcd.io/bbolt"
)

// Stored returns a page of records as [Queue.Read] does, each with the reason when it can't be opened, and its sealed
// bytes then.
func (q *Queue) Stored(id LaneID, from uint64, maxRecords, maxBytes int) ([]Stored, error) {
	records, err := q.Read(id, from, maxRecords, maxBytes)
	if err != nil {
		return nil, err
	}
	page := make([]Stored, 0, len(records))
	for _, r := range records {
		s := Stored{LaneID: id, Record: r}
		if r.Payload == nil {
			err := q.view(func(tx *bolt.Tx, held *overlay) error {
				s.Sealed = append([]byte(nil), q.value(tx, held, id, r.Seq)...)
				_, s.Problem = q.sealer.open(id, r.Seq, s.Sealed)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		page = append(page, s)
	}
	return page, nil
}

// value returns a record's sealed bytes, or nil.
func (q *Queue) value(tx *bolt.Tx, held *overlay, id LaneID, seq uint64) []byte {
	q.mu.Lock()
	v := held.record(id, seq)
	q.mu.Unlock()
	if v != nil {
		return v
	}
	return recordBucket(tx, id.Lane).Get(recordKey(id, seq))
}

// Quarantine returns up to maxRecords refused records, by lane, epoch and seq, after the first skip ones. The payloads of a
// page are at most maxBytes long together, unless the first one alone is longer.
func (q *Queue) Quarantine(skip uint64, maxRecords, maxBytes int) ([]Stored, error) {
	var page []Stored
	err := q.view(func(tx *bolt.Tx, _ *overlay) error {
		c := tx.Bucket(bucketQuarantine).Cursor() // the journal has nothing of it
		size := 0
		for k, v := c.First(); k != nil && len(page) < maxRecords; k, v = c.Next() {
			if skip > 0 {
				skip--
				continue
			}
			if size += len(v); len(page) > 0 && size > maxBytes {
				return nil
			}
			s, err := parseQuarantined(k, append([]byte(nil), v...))
			if err != nil {
				return err
			}
			s.Record, s.Problem = q.sealer.open(s.LaneID, s.Seq, s.Sealed)
			page = append(page, s)
		}
		return nil
	})
	return page, err
}

// Use is how much room the queue takes.
type Use struct {
	Format uint32           // the version of the file's layout
	File   int64            // bytes of the file that hold something
	Lanes  map[LaneID]int64 // bytes of each lane's records, sealed on disk and plain in memory
}

// Use returns how much room the queue takes. It looks at every record's size, and opens none.
func (q *Queue) Use() (Use, error) {
	use := Use{Format: formatVersion, Lanes: map[LaneID]int64{}}
	err := q.view(func(tx *bolt.Tx, held *overlay) error {
		stats := q.db.Stats()
		use.File = tx.Size() - int64(stats.FreePageN+stats.PendingPageN)*int64(q.db.Info().PageSize)
		for _, lane := range []Lane{Ledger, Telemetry} {
			id := LaneID{Lane: lane}
			c := recordBucket(tx, lane).Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				copy(id.Epoch[:], k)
				use.Lanes[id] += int64(len(v))
			}
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		for id, t := range held.lanes {
			for _, r := range t.records {
				use.Lanes[id] += int64(len(r.value))
			}
		}
		return nil
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.memory {
		use.Lanes[q.current.id] += int64(len(m.payload))
	}
	return use, err
}

// DropQuarantined removes from the queue file at path, for ever, the refused records that drop says yes to, and returns how
// many they were. Nobody may have the file open ([ErrLocked]), and a damaged one is left alone.
func DropQuarantined(path string, drop func(LaneID, uint64) bool) (int, error) {
	if err := verify(path); err != nil {
		return 0, classify("drop from quarantine", err)
	}
	var dropped int
	err := guarded(func() (err error) { dropped, err = dropQuarantined(path, drop); return err })
	if err != nil {
		return 0, classify("drop from quarantine", err)
	}
	return dropped, nil
}

func dropQuarantined(path string, drop func(LaneID, uint64) bool) (n int, err error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return 0, err
	}
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketQuarantine)
		var keys [][]byte
		err := b.ForEach(func(k, _ []byte) error {
			if id, seq, ok := parseQuarantineKey(k); ok && drop(id, seq) {
				keys = append(keys, append([]byte(nil), k...))
			}
			return nil
		})
		for _, k := range keys {
			if err != nil {
				break
			}
			err = b.Delete(k)
		}
		n = len(keys)
		return err
	})
	return n, err
}
