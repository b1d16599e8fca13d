package buffer

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// strays looks for records of lanes that have no row.
func (v *verifier) strays(lanes []laneRecord) {
	known := map[LaneID]bool{}
	for _, l := range lanes {
		known[l.id] = true
	}
	for _, lane := range []Lane{Ledger, Telemetry} {
		id, n := LaneID{Lane: lane}, 0
		say := func() {
			if n > 0 && !known[id] {
				v.find(Finding{Where: lane.String(), LaneID: id, Problem: fmt.Sprintf("%d records of a lane that has no row", n)})
			}
		}
		for e := range v.entries(recordBucketName(lane), nil) {
			its, _, ok := parseRecordKey(lane, e.key)
			if !ok {
				v.find(Finding{Where: lane.String(), Problem: "an entry's key is no record's"})
				continue
			}
			if its != id {
				say()
				id, n = its, 0
			}
			n++
		}
		say()
	}
}

func (v *verifier) quarantine() {
	for r := range v.Quarantine() {
		v.done.Quarantined++
		if r.Problem != nil {
			v.find(Finding{Where: "quarantine", LaneID: r.LaneID, Seq: r.Seq, Problem: reason(r.Problem).Error()})
		}
	}
}

// kept looks whether each note is of rows that are there.
func (v *verifier) kept() {
	for e := range v.entries(bucketKept, nil) {
		v.done.Rows++
		absent, err := v.absent(e)
		switch {
		case err != nil:
			v.find(Finding{Where: "kept", Problem: "a note makes no sense"})
		case absent > 0:
			v.find(Finding{Where: "kept", Problem: fmt.Sprintf("note %d names %d rows that are not there", binary.BigEndian.Uint64(e.key), absent)})
		}
	}
}

// absent returns how many of the rows that a note names are not there.
func (v *verifier) absent(e element) (n int, err error) {
	if len(e.key) != 8 || len(e.value) < 16 {
		return 0, errDamaged
	}
	for rows := e.value[16:]; len(rows) > 0; {
		if len(rows) < 3 || len(rows) < 3+int(binary.BigEndian.Uint16(rows[1:])) || Bucket(rows[0]) > Entries {
			return 0, errDamaged
		}
		bucket, key := Bucket(rows[0]), rows[3:3+int(binary.BigEndian.Uint16(rows[1:]))]
		rows = rows[3+len(key):]
		if bucket == until || bucket == Entries {
			continue // a time; and entries of formats 1 and 2 go when a member is forgotten
		}
		found := false
		for k := range v.entries(bucket.name(), key) {
			found = bytes.Equal(k.key, key)
			break
		}
		if !found {
			n++
		}
	}
	return n, nil
}
