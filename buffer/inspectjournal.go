package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
)

// held is what the journal has and the file does not have yet: for each bucket its entries by key, ascending. A nil
// value is a row that was deleted.
type held map[string][]element

// readHeld reads the journal beside the file, if there is one, and notes what is wrong with it.
func (f *File) readHeld() error {
	j, err := os.Open(f.path + journalSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		if f.meta(metaJournaled) != nil {
			f.journal = errors.New("it is gone, and what was only in it")
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer j.Close()
	info, err := j.Stat()
	if err != nil {
		return err
	}
	if f.sealer.terminal == "" {
		f.journal = errors.New("whether it belongs to the file can't be told: the file's terminal is unreadable")
		return nil
	}
	generation := generationOf(f.meta(metaJournal))
	got, err := readJournal(j, info.Size()/framePage*framePage, ownerOf(f.sealer.terminal), generation)
	switch {
	case errors.Is(err, ErrForeign):
		f.journal, f.foreign = errors.New("it belongs to another terminal"), true
		return nil
	case err != nil:
		return err
	case got.generation > generation && (generation > 0 || len(f.Lanes()) > 0):
		f.journal = fmt.Errorf("it is newer than the file: of generation %d, the file waits for %d", got.generation, generation)
	case f.meta(metaJournaled) != nil && info.Size() < journalSizeOf(f.meta(metaJournaled)):
		f.journal = errors.New("it is cut short")
	case got.damaged:
		f.journal = errors.New("a frame is missing among those that are there")
	}
	f.lay(got.held)
	return nil
}

// lay sorts what the journal holds into buckets.
func (f *File) lay(o *overlay) {
	over := held{}
	add := func(bucket []byte, key, value []byte) {
		over[string(bucket)] = append(over[string(bucket)], element{key: key, value: value})
	}
	for id, t := range o.lanes {
		row, inFile := f.row(id)
		if !inFile {
			row = t.row
			row.acked = min(t.row.acked, t.records[0].seq-1)
		} else if t.row.next > row.next {
			row.next, row.head = t.row.next, t.row.head
		}
		add(bucketLanes, row.key(), row.value())
		for _, r := range t.records {
			add(recordBucketName(id.Lane), recordKey(id, r.seq), r.value)
		}
	}
	for name, value := range o.rows {
		add(name.bucket().name(), name.key(), value)
	}
	next := uint64(1)
	for e := range f.entries(bucketKept, nil) {
		if len(e.key) == 8 {
			next = binary.BigEndian.Uint64(e.key) + 1
		}
	}
	for i, n := range o.notes {
		add(bucketKept, binary.BigEndian.AppendUint64(nil, next+uint64(i)), n)
	}
	for _, elements := range over {
		sort.SliceStable(elements, func(i, j int) bool { return bytes.Compare(elements[i].key, elements[j].key) < 0 })
	}
	f.held = over
}

// row returns a lane's row.
func (f *File) row(id LaneID) (laneRecord, bool) {
	key := laneRecord{id: id}.key()
	for e := range f.entries(bucketLanes, key) {
		r, err := parseLaneRecord(e.key, e.value)
		return r, err == nil && r.id == id
	}
	return laneRecord{}, false
}
