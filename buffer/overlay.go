package buffer

import (
	"bytes"
	"maps"
	"slices"
)

// overlay is what was committed to the journal and is not in the file yet. Reads look at it first. Queue.mu guards the
// queue's own.
type overlay struct {
	lanes map[LaneID]*tail
	rows  map[rowName][]byte // by bucket and key; nil is a deleted row
	notes [][]byte           // for the kept bucket, in order
	size  int64              // roughly what it adds to the file, in bytes
}

// rowName is a bucket's byte and a key in it.
type rowName string

func nameRow(b Bucket, key []byte) rowName {
	name := make([]byte, 0, 1+len(key))
	return rowName(append(append(name, byte(b)), key...))
}

func (n rowName) bucket() Bucket { return Bucket(n[0]) }
func (n rowName) key() []byte    { return []byte(n[1:]) }

// tail is the newest records of a ledger lane, and the lane's row with them.
type tail struct {
	row     laneRecord
	records []sealed // by seq, ascending
}

// sealed is a record as it lies in its lane's bucket.
type sealed struct {
	seq   uint64
	value []byte
}

func newOverlay() *overlay {
	return &overlay{lanes: map[LaneID]*tail{}, rows: map[rowName][]byte{}}
}

func (o *overlay) empty() bool { return len(o.lanes) == 0 && len(o.rows) == 0 && len(o.notes) == 0 }

// append adds a record to the end of a lane.
func (o *overlay) append(row laneRecord, seq uint64, value []byte) {
	t := o.lanes[row.id]
	if t == nil {
		t = &tail{}
		o.lanes[row.id] = t
	}
	t.row = row
	t.records = append(t.records, sealed{seq, value})
	o.size += int64(len(value)) + 64
}

func (o *overlay) put(name rowName, value []byte) {
	o.rows[name] = value
	o.size += int64(len(name)+len(value)) + 64
}

// merge adds what a later commit wrote.
func (o *overlay) merge(later *overlay) {
	for id, t := range later.lanes {
		if have := o.lanes[id]; have != nil {
			have.row = t.row
			have.records = append(have.records, t.records...)
		} else {
			o.lanes[id] = t
		}
	}
	maps.Copy(o.rows, later.rows)
	o.notes = append(o.notes, later.notes...)
	o.size += later.size
}

// record returns a record's value, or nil.
func (o *overlay) record(id LaneID, seq uint64) []byte {
	t := o.lanes[id]
	if t == nil {
		return nil
	}
	if i, found := t.find(seq); found {
		return t.records[i].value
	}
	return nil
}

// find returns where the first record from seq on is, and whether it is that very one.
func (t *tail) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(t.records, seq, func(r sealed, seq uint64) int {
		if r.seq < seq {
			return -1
		}
		return int(min(r.seq-seq, 1))
	})
}

// under returns the names of the rows of a bucket whose keys have the prefix, in order.
func (o *overlay) under(b Bucket, prefix []byte) []rowName {
	var names []rowName
	for n := range o.rows {
		if n.bucket() == b && bytes.HasPrefix([]byte(n[1:]), prefix) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}
