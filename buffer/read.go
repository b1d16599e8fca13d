package buffer

import (
	"encoding/binary"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Read returns records of a lane from the given seq on, without a gap: at most maxRecords, and at most maxBytes of
// payload unless the first record alone is larger. When records before the first that is still held are gone, the
// result begins there. It returns nothing when there is nothing to send yet.
func (q *Queue) Read(id LaneID, from uint64, maxRecords, maxBytes int) ([]Record, error) {
	q.mu.Lock()
	l := q.lanes[id]
	if l == nil {
		q.mu.Unlock()
		return nil, nil
	}
	from = max(from, l.state().Oldest)
	next := l.next
	if l == q.current && len(q.memory) > 0 && from >= q.memory[0].seq {
		defer q.mu.Unlock()
		return q.readMemory(from, maxRecords, maxBytes), nil
	}
	q.mu.Unlock()
	if from >= next || id.Lane == Telemetry && !l.onDisk() {
		return nil, nil
	}
	var records []Record
	err := q.view(func(tx *bolt.Tx, held *overlay) error {
		chosen := selection{maxRecords: maxRecords, maxBytes: maxBytes}
		q.readFile(tx, id, from, &chosen)
		q.resident.saw(tx, chosen.size+lookupBytes)
		q.readHeld(held, id, from, &chosen)
		records = chosen.records
		return nil
	})
	if err == nil && len(records) == 0 && l == q.current {
		// What was in the file has been dropped, and so has some of what followed it in memory.
		q.mu.Lock()
		defer q.mu.Unlock()
		records = q.readMemory(from, maxRecords, maxBytes)
	}
	return records, err
}

// readMemory reads the current telemetry epoch from memory. q.mu is held.
func (q *Queue) readMemory(from uint64, maxRecords, maxBytes int) []Record {
	i, _ := slices.BinarySearchFunc(q.memory, from, func(r memoryRecord, seq uint64) int {
		if r.seq < seq {
			return -1
		}
		return int(min(r.seq-seq, 1))
	})
	var records []Record
	size := 0
	for _, m := range q.memory[i:] {
		size += len(m.payload)
		if len(records) == maxRecords || len(records) > 0 && size > maxBytes {
			break
		}
		records = append(records, Record{Seq: m.seq, Payload: m.payload})
	}
	return records
}

func (q *Queue) readFile(tx *bolt.Tx, id LaneID, from uint64, chosen *selection) {
	first := recordKey(id, from)
	prefix := string(first[:len(first)-8])
	c := recordBucket(tx, id.Lane).Cursor()
	for k, v := c.Seek(first); len(k) == len(first) && string(k[:len(k)-8]) == prefix; k, v = c.Next() {
		r := sealed{binary.BigEndian.Uint64(k[len(k)-8:]), v}
		if !chosen.takes(r) {
			return
		}
		chosen.records = append(chosen.records, q.opened(id, r))
	}
}

// readHeld goes on with what the journal holds of a lane.
func (q *Queue) readHeld(held *overlay, id LaneID, from uint64, chosen *selection) {
	if n := len(chosen.records); n > 0 {
		from = chosen.records[n-1].Seq + 1
	}
	q.mu.Lock()
	var values []sealed
	if t := held.lanes[id]; t != nil {
		i, _ := t.find(from)
		values = t.records[i:]
	}
	q.mu.Unlock()
	for _, v := range values {
		if !chosen.takes(v) {
			return
		}
		chosen.records = append(chosen.records, q.opened(id, v))
	}
}

// selection is the records that one read returns: in a row, and within limits.
type selection struct {
	records              []Record
	size                 int
	maxRecords, maxBytes int
}

// takes reports whether a record may follow.
func (s *selection) takes(r sealed) bool {
	n := len(s.records)
	s.size += len(r.value)
	return n < s.maxRecords && (n == 0 || r.seq == s.records[n-1].Seq+1 && s.size <= s.maxBytes)
}

func (q *Queue) opened(id LaneID, v sealed) Record {
	r, err := q.sealer.open(id, v.seq, v.value)
	if err != nil {
		q.log.Error().Err(err).Msg("record can't be opened; it is sent without its payload, to be refused by name")
	}
	return r
}
