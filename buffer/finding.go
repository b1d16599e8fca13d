package buffer

import (
	"errors"
	"fmt"
)

// Finding is one thing that is wrong with a queue file.
type Finding struct {
	Where   string // the bucket, "pages" or "journal"
	LaneID         // zero when it is about no lane
	Seq     uint64 // the record that it is about; 0 is none
	Problem string // in words; no contents
}

// String returns the finding on one line.
func (f Finding) String() string {
	switch {
	case f.LaneID == LaneID{}:
		return f.Where + ": " + f.Problem
	case f.Seq == 0:
		return fmt.Sprintf("%s, %v: %s", f.Where, f.LaneID, f.Problem)
	}
	return fmt.Sprintf("%s, %v record %d: %s", f.Where, f.LaneID, f.Seq, f.Problem)
}

// Verified is how much [File.Verify] has looked at.
type Verified struct {
	Records     uint64 // of both lanes
	Quarantined uint64
	Rows        uint64 // of all other buckets
}

// Verify looks at everything in the file: every page, bucket and row, every seal, the numbering, and the ledger's chain.
// It calls report for all that is wrong, in no more memory than a page takes. What the rows of the ledger's buckets mean
// is not known here.
func (f *File) Verify(report func(Finding)) Verified {
	v := verifier{File: f, report: report}
	if f.damage != nil {
		v.find(Finding{Where: "pages", Problem: f.damage.Error()})
	}
	if f.journal != nil {
		v.find(Finding{Where: "journal", Problem: f.journal.Error()})
	}
	v.buckets()
	lanes := v.lanes()
	for _, l := range lanes {
		v.lane(l)
	}
	v.strays(lanes)
	v.quarantine()
	v.kept()
	for _, b := range userBuckets {
		for range f.Rows(b, nil) {
			v.done.Rows++
		}
	}
	if f.damage != nil && !v.saidDamage { // a page that the disk did not give, met only now
		v.find(Finding{Where: "pages", Problem: f.damage.Error()})
	}
	return v.done
}

// verifier is one look at everything.
type verifier struct {
	*File
	report     func(Finding)
	done       Verified
	saidDamage bool
}

func (v *verifier) find(f Finding) {
	v.saidDamage = v.saidDamage || f.Where == "pages"
	v.report(f)
}

// bucketNames returns the buckets of this format.
func bucketNames() [][]byte {
	names := [][]byte{bucketMeta, bucketLanes, bucketLedger, bucketTelemetry, bucketQuarantine, bucketKept}
	for _, b := range userBuckets {
		names = append(names, b.name())
	}
	return names
}

// buckets looks for those that are missing, and those that nobody knows.
func (v *verifier) buckets() {
	known := map[string]bool{}
	for _, name := range bucketNames() {
		known[string(name)] = true
		if v.tree[string(name)] == nil && v.damage == nil {
			v.find(Finding{Where: string(name), Problem: "the bucket is missing"})
		}
	}
	for name := range v.tree {
		if !known[name] {
			v.find(Finding{Where: fmt.Sprintf("%q", name), Problem: "no such bucket is known"})
		}
	}
	if v.tree[string(bucketMeta)] == nil {
		return
	}
	if len(v.meta(metaFormat)) != 4 {
		v.find(Finding{Where: "meta", Problem: "the format's version is unreadable"})
	}
	if v.sealer.terminal == "" {
		v.find(Finding{Where: "meta", Problem: "the terminal is unreadable"})
	}
}

// lanes returns the lanes whose rows make sense.
func (v *verifier) lanes() []laneRecord {
	var rows []laneRecord
	ordinals := map[uint64]bool{}
	for e := range v.entries(bucketLanes, nil) {
		v.done.Rows++
		r, err := parseLaneRecord(e.key, e.value)
		if err != nil {
			v.find(Finding{Where: "lanes", Problem: "a lane's row makes no sense"})
			continue
		}
		if ordinals[r.ordinal] {
			v.find(Finding{Where: "lanes", LaneID: r.id, Problem: fmt.Sprintf("another lane has ordinal %d as well", r.ordinal)})
		}
		ordinals[r.ordinal] = true
		rows = append(rows, r)
	}
	return rows
}

// lane looks at one lane's numbering, seals and chain.
func (v *verifier) lane(l laneRecord) {
	say := func(seq uint64, format string, args ...any) {
		v.find(Finding{Where: l.id.Lane.String(), LaneID: l.id, Seq: seq, Problem: fmt.Sprintf(format, args...)})
	}
	expected := l.acked + 1
	chain, linked := head{}, l.acked == 0 // the chain's head before expected, and whether it is known
	for r := range v.Records(l.id, 0) {
		v.done.Records++
		if r.Seq <= l.acked {
			say(r.Seq, "the backend has it, and it is still here")
			continue
		}
		if r.Seq >= l.next {
			say(r.Seq, "the lane ends with record %d", l.next-1)
		}
		if r.Seq > expected {
			if l.id.Lane == Ledger {
				say(expected, "%s", missing(r.Seq-expected))
			}
			linked = false // of telemetry the oldest may have made room
		}
		expected = r.Seq + 1
		var stated head
		if l.id.Lane == Ledger && copy(stated[:], r.Sealed) < len(stated) {
			say(r.Seq, "it is cut short")
			linked = false
			continue
		}
		if r.Problem != nil {
			say(r.Seq, "%v", reason(r.Problem))
		} else if l.id.Lane == Ledger && linked && chain.extend(r.Seq, r.Payload) != stated {
			say(r.Seq, "the chain does not follow from the record before")
		}
		chain, linked = stated, true
	}
	if l.id.Lane == Ledger {
		switch {
		case expected < l.next:
			say(expected, "%s", missing(l.next-expected))
		case expected == l.next && linked && chain != l.head:
			say(0, "the lane's chain head is not that of its last record")
		}
	}
}

func missing(n uint64) string {
	if n == 1 {
		return "it is missing"
	}
	return fmt.Sprintf("it and %d after it are missing", n-1)
}

// reason returns why a record can't be opened, without its name.
func reason(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
