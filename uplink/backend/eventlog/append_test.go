package eventlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

const telemetryLane = "m1/t1/00000000000000000000000000000001/2"

func TestAppendTelemetry(t *testing.T) {
	type step struct {
		first   uint64
		n       int
		lost    []Range
		through uint64    // the result, when err is nil
		err     *GapError // the error
		invalid bool
	}
	const huge = math.MaxUint64
	tests := []struct {
		name  string
		steps []step
		want  []uint64
	}{
		{"in order", []step{{first: 1, n: 2, through: 2}, {first: 3, n: 1, through: 3}}, []uint64{1, 2, 3}},
		{"replay", []step{{first: 1, n: 3, through: 3}, {first: 1, n: 3, through: 3}}, []uint64{1, 2, 3}},
		{"older replay", []step{{first: 1, n: 3, through: 3}, {first: 1, n: 1, through: 3}}, []uint64{1, 2, 3}},
		{"overlap", []step{{first: 1, n: 3, through: 3}, {first: 2, n: 4, through: 5}}, []uint64{1, 2, 3, 4, 5}},
		{"gap at the start", []step{{first: 2, n: 1, err: &GapError{Want: 1, Got: 2}}}, nil},
		{"gap", []step{{first: 1, n: 3, through: 3}, {first: 5, n: 1, err: &GapError{Want: 4, Got: 5}}, {first: 4, n: 2, through: 5}}, []uint64{1, 2, 3, 4, 5}},
		{"lost before", []step{{first: 4, n: 1, lost: []Range{{1, 3}}, through: 4}}, []uint64{4}},
		{"lost in two ranges", []step{{first: 4, n: 1, lost: []Range{{1, 1}, {2, 3}}, through: 4}}, []uint64{4}},
		{"lost inside", []step{{first: 1, n: 3, lost: []Range{{2, 4}}, through: 6}}, []uint64{1, 5, 6}},
		{"lost inside twice", []step{{first: 1, n: 3, lost: []Range{{2, 2}, {4, 4}}, through: 5}}, []uint64{1, 3, 5}},
		{"lost after", []step{{first: 1, n: 1, lost: []Range{{2, 3}}, through: 3}, {first: 4, n: 1, through: 4}}, []uint64{1, 4}},
		{"lost only", []step{{lost: []Range{{1, 9}}, through: 9}, {first: 10, n: 1, through: 10}}, []uint64{10}},
		{"lost that were stored", []step{{first: 1, n: 3, through: 3}, {first: 6, n: 1, lost: []Range{{2, 5}}, through: 6}}, []uint64{1, 2, 3, 6}},
		{"replay of lost", []step{{first: 4, n: 1, lost: []Range{{1, 3}}, through: 4}, {first: 4, n: 1, lost: []Range{{1, 3}}, through: 4}}, []uint64{4}},
		{"replay of lost inside", []step{{first: 1, n: 3, lost: []Range{{2, 4}}, through: 6}, {first: 1, n: 4, lost: []Range{{2, 4}}, through: 7}}, []uint64{1, 5, 6, 7}},
		{"lost too few", []step{{first: 4, n: 1, lost: []Range{{1, 2}}, err: &GapError{Want: 3, Got: 4}}}, nil},
		{"lost too late", []step{{first: 4, n: 1, lost: []Range{{2, 3}}, err: &GapError{Want: 1, Got: 2}}}, nil},
		{"gap between lost", []step{{first: 6, n: 1, lost: []Range{{1, 2}, {4, 5}}, err: &GapError{Want: 3, Got: 4}}}, nil},
		{"lost covers the first", []step{{first: 3, n: 1, lost: []Range{{1, 3}}, invalid: true}}, nil},
		{"lost covers one inside", []step{{first: 1, n: 5, lost: []Range{{3, 3}, {3, 4}}, invalid: true}}, nil},
		{"lost out of order", []step{{first: 6, n: 1, lost: []Range{{3, 5}, {1, 2}}, invalid: true}}, nil},
		{"lost overlap", []step{{first: 6, n: 1, lost: []Range{{1, 3}, {3, 5}}, invalid: true}}, nil},
		{"lost backwards", []step{{first: 6, n: 1, lost: []Range{{5, 1}}, invalid: true}}, nil},
		{"lost from 0", []step{{first: 6, n: 1, lost: []Range{{0, 5}}, invalid: true}}, nil},
		{"lost everything there is", []step{{lost: []Range{{1, huge}}, invalid: true}}, nil},
		{"lost nearly everything", []step{{lost: []Range{{1, huge - 1}}, through: huge - 1}, {first: huge, n: 1, invalid: true}}, nil},
		{"largest seq", []step{{first: huge - 1, n: 1, lost: []Range{{1, huge - 2}}, through: huge - 1}}, []uint64{huge - 1}},
		{"seq overflows", []step{{first: huge - 1, n: 2, lost: []Range{{1, huge - 2}}, invalid: true}}, nil},
		{"seq wraps to a replay", []step{{first: 1, n: 3, through: 3}, {first: huge, n: 3, invalid: true}}, []uint64{1, 2, 3}},
		{"lost inside overflows", []step{{first: 1, n: 2, lost: []Range{{2, huge - 1}}, invalid: true}}, nil},
		{"seq 0", []step{{first: 0, n: 1, invalid: true}}, nil},
		{"empty", []step{{first: 1, n: 0, invalid: true}}, nil},
		{"too many records", []step{{first: 1, n: MaxRecords + 1, invalid: true}}, nil},
		{"as many records as can be", []step{{first: 1, n: MaxRecords, through: MaxRecords}, {first: 1, n: 1, through: MaxRecords}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t)
			for i, s := range tt.steps {
				result, err := one(t, l, telemetry(t, s.first, s.n, s.lost...))
				switch {
				case s.invalid:
					if _, ok := errors.AsType[*InvalidError](err); !ok {
						t.Fatalf("step %d: %v, want an InvalidError", i, err)
					}
				case s.err != nil:
					if got, ok := errors.AsType[*GapError](err); !ok || *got != *s.err {
						t.Fatalf("step %d: %v, want %v", i, err, s.err)
					}
				case err != nil || result.Through != s.through:
					t.Fatalf("step %d: through %d, %v; want %d", i, result.Through, err, s.through)
				}
			}
			got := numbers(t, l)[telemetryLane]
			if tt.want != nil && !slices.Equal(got, tt.want) || tt.want == nil && len(got) != 0 && len(got) != MaxRecords {
				t.Errorf("stored %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRefusedBatchLeavesNoTrace(t *testing.T) {
	l := newLog(t)
	other := identity.ID{Merchant: "m1", Terminal: "t2"}
	bad := telemetry(t, 7, 1)
	if _, err := l.Append(t.Context(), bad); err == nil {
		t.Fatal("a gap was taken")
	}
	good := telemetry(t, 1, 2)
	good.ID = other
	if r, err := one(t, l, good); err != nil || r.Through != 2 {
		t.Fatalf("another terminal: %+v, %v", r, err)
	}
	if l.Head() != 1 {
		t.Errorf("head = %d, want 1", l.Head())
	}
	marks, err := l.Watermarks(shop, []LaneKey{{epoch, wire.Lane_LANE_TELEMETRY}})
	if err != nil || marks[0] != (Watermark{}) {
		t.Errorf("watermark of the refused = %+v, %v", marks[0], err)
	}
}

func TestBatchesBeforeTheRefusedAreStored(t *testing.T) {
	for name, bad := range map[string]Batch{"gap": telemetry(t, 9, 1), "invalid": telemetry(t, 0, 1)} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t)
			results, err := l.Append(t.Context(), telemetry(t, 1, 2), telemetry(t, 3, 2), bad, telemetry(t, 5, 1))
			if err == nil || len(results) != 2 || results[1].Through != 4 {
				t.Fatalf("Append = %+v, %v; want two results and an error", results, err)
			}
			if got := numbers(t, l)[telemetryLane]; len(got) != 4 {
				t.Errorf("stored %v, want 1 to 4", got)
			}
		})
	}
}

func TestLanesAreApart(t *testing.T) {
	l := newLog(t)
	if _, err := one(t, l, telemetry(t, 1, 5)); err != nil {
		t.Fatal(err)
	}
	apart := map[string]func(*Batch){
		"terminal":                   func(b *Batch) { b.ID.Terminal = "t2" },
		"merchant":                   func(b *Batch) { b.ID.Merchant = "m2" },
		"epoch":                      func(b *Batch) { b.Epoch[0] = 1 },
		"names that join to another": func(b *Batch) { b.ID = identity.ID{Merchant: "m", Terminal: "1t1"} },
	}
	for name, change := range apart {
		b := telemetry(t, 1, 1)
		change(&b)
		if r, err := one(t, l, b); err != nil || r.Stored != 1 || r.Through != 1 {
			t.Errorf("other %s: %+v, %v; want a lane of its own", name, r, err)
		}
	}
	if r, err := one(t, l, ledger(t, 1, 1)); err != nil || r.Stored != 1 {
		t.Errorf("other lane: %+v, %v", r, err)
	}
}

// The vector was computed with sha256sum over 32 zero bytes, 0000000000000001 and the payload, and so on.
func TestExtendVector(t *testing.T) {
	head := extend([32]byte{}, 1, []byte("a"))
	head = extend(head, 2, []byte("b"))
	if got, want := hex.EncodeToString(head[:]), "ac801c2ef8753f5f117fa8512dea5681d91feb10de2a4af83a72cb74b5cffce2"; got != want {
		t.Errorf("chain = %s, want %s", got, want)
	}
}

func TestChain(t *testing.T) {
	l := newLog(t)
	r, err := one(t, l, ledger(t, 1, 3))
	if err != nil || r.ChainDiffers || string(r.Chain[:8]) != string(ledger(t, 1, 3).Chain) {
		t.Fatalf("first batch: %+v, %v", r, err)
	}
	// Cut in the middle, the chain still goes on.
	if r, err = one(t, l, ledger(t, 2, 5)); err != nil || r.ChainDiffers || r.Stored != 2 {
		t.Fatalf("overlap: %+v, %v", r, err)
	}
	if r, err = one(t, l, ledger(t, 1, 3)); err != nil || r.ChainDiffers || r.Through != 5 {
		t.Fatalf("old replay: %+v, %v", r, err)
	}
	changed := ledger(t, 6, 7)
	changed.Records[0] = payment(t, "changed")
	if r, err = one(t, l, changed); err != nil || !r.ChainDiffers || r.Through != 7 {
		t.Fatalf("changed record: %+v, %v; want stored with an alarm", r, err)
	}
	if string(r.Chain[:8]) == string(changed.Chain) {
		t.Error("the log took over the terminal's chain")
	}
	// The same again stores nothing and is still an alarm.
	if r, err = one(t, l, changed); err != nil || !r.ChainDiffers || r.Stored != 0 {
		t.Fatalf("changed record again: %+v, %v", r, err)
	}
	want := []ChainState{ChainState_CHAIN_STATE_AGREES, ChainState_CHAIN_STATE_AGREES, ChainState_CHAIN_STATE_DIFFERS}
	var got []ChainState
	for _, e := range entries(t, l) {
		got = append(got, e.ChainState)
	}
	if !slices.Equal(got, want) {
		t.Errorf("chain states %v, want %v", got, want)
	}
	marks, err := l.Watermarks(shop, []LaneKey{{epoch, wire.Lane_LANE_LEDGER}})
	if err != nil || marks[0].Through != 7 || marks[0].Chain != r.Chain {
		t.Errorf("watermark = %+v, %v", marks[0], err)
	}
}

func TestLedgerRules(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Batch)
	}{
		{"lost twice", func(b *Batch) { b.Lost = []Range{{1, 1}, {1, 1}}; b.FirstSeq = 2 }},
		{"no chain", func(b *Batch) { b.Chain = nil }},
		{"long chain", func(b *Batch) { b.Chain = make([]byte, 32) }},
		{"no lane", func(b *Batch) { b.Lane = 0 }},
		{"unknown lane", func(b *Batch) { b.Lane = 3 }},
		{"chain in telemetry", func(b *Batch) { b.Lane = wire.Lane_LANE_TELEMETRY }},
		{"no terminal", func(b *Batch) { b.ID = identity.ID{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t)
			b := ledger(t, 1, 2)
			tt.change(&b)
			_, err := one(t, l, b)
			if _, ok := errors.AsType[*InvalidError](err); !ok || l.Head() != 0 {
				t.Errorf("Append = %v, head %d; want an InvalidError and nothing stored", err, l.Head())
			}
		})
	}
}

// A terminal whose queue file was damaged can go on; that records are gone is stored, and the chain says so.
func TestLostLedgerRecordsAreAnAlarm(t *testing.T) {
	l := newLog(t)
	b := ledger(t, 1, 3)
	b.Records, b.FirstSeq, b.Lost = b.Records[1:], 2, []Range{{1, 1}}
	r, err := one(t, l, b)
	if err != nil || r.Through != 3 || r.Stored != 2 || !r.ChainDiffers {
		t.Errorf("Append = %+v, %v; want 2 stored through 3, and another chain", r, err)
	}
}

func TestUnreadableRecordsAreKept(t *testing.T) {
	l := newLog(t)
	b := ledger(t, 1, 4)
	b.Records[1] = []byte("not an event")
	b.Records[3] = make([]byte, MaxRecordBytes+1)
	r, err := one(t, l, b)
	want := []Reject{{2, wire.RejectReason_REJECT_REASON_MALFORMED}, {4, wire.RejectReason_REJECT_REASON_TOO_LARGE}}
	if err != nil || r.Through != 4 || r.Stored != 4 || !slices.Equal(r.Rejects, want) {
		t.Fatalf("Append = %+v, %v; want rejects %v", r, err, want)
	}
	e := entries(t, l)[0]
	if len(e.Rejected) != 2 || e.Rejected[0].Index != 1 || e.Rejected[1].Index != 3 || e.Rows != 4 || string(e.Records[1]) != "not an event" {
		t.Errorf("entry = %d rows, rejected %v", e.Rows, e.Rejected)
	}
	// A replay names them again: the first answer may not have arrived.
	if r, err = one(t, l, b); err != nil || r.Stored != 0 || !slices.Equal(r.Rejects, want) {
		t.Errorf("replay = %+v, %v", r, err)
	}
	// After a cut, the places are those in what is stored.
	more := ledger(t, 3, 6)
	more.Records[2] = nil
	if r, err = one(t, l, more); err != nil || len(r.Rejects) != 1 || r.Rejects[0].Seq != 5 {
		t.Fatalf("overlap = %+v, %v", r, err)
	}
	if e := entries(t, l)[1]; len(e.Rejected) != 1 || e.Rejected[0].Index != 0 || e.FirstSeq != 5 {
		t.Errorf("entry after the cut: first %d, rejected %v", e.FirstSeq, e.Rejected)
	}
}

func TestEntryHoldsWhatCame(t *testing.T) {
	l := newLog(t)
	b := telemetry(t, 4, 2, Range{1, 3}, Range{5, 5})
	b.Gateway, b.AgentVersion = "g1", "1.2.3"
	if _, err := one(t, l, b); err != nil {
		t.Fatal(err)
	}
	got := entries(t, l)
	if len(got) != 2 {
		t.Fatalf("%d entries, want one before and one after the lost number", len(got))
	}
	first, second := got[0], got[1]
	if first.FirstSeq != 4 || len(first.Lost) != 1 || first.Lost[0].ToSeq != 3 || first.Rows != 3 {
		t.Errorf("first entry: %v", first)
	}
	if second.FirstSeq != 6 || len(second.Lost) != 1 || second.Lost[0].FromSeq != 5 || second.Rows != 3 {
		t.Errorf("second entry: %v", second)
	}
	if first.Merchant != "m1" || first.Terminal != "t1" || first.Gateway != "g1" || first.AgentVersion != "1.2.3" ||
		first.ReceivedUnixMs != noon.UnixMilli() || !reflect.DeepEqual(first.Epoch, epoch[:]) || string(first.Records[0]) != string(b.Records[0]) {
		t.Errorf("entry lost something: %v", first)
	}
}

// Random batches, many of them stale, are sent from a random place at or before the end of what is stored.
func TestRandomReplays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := newLog(t)
	var through uint64
	for range 300 {
		first := through + 1 - uint64(rng.IntN(int(min(through+1, 8))))
		b := ledger(t, first, first+uint64(rng.IntN(6)))
		r, err := one(t, l, b)
		if err != nil {
			t.Fatal(err)
		}
		through = max(through, first+uint64(len(b.Records))-1)
		if r.Through != through || r.ChainDiffers {
			t.Fatalf("Append from %d = %+v, want through %d", first, r, through)
		}
	}
	for i, seq := range numbers(t, l)["m1/t1/00000000000000000000000000000001/1"] {
		if seq != uint64(i+1) {
			t.Fatalf("place %d holds seq %d", i, seq)
		}
	}
}

func TestConcurrentTerminals(t *testing.T) {
	const terminals, batches = 32, 20
	l := newLog(t)
	var wg sync.WaitGroup
	for i := range terminals {
		wg.Go(func() {
			for n := range batches {
				b := telemetry(t, uint64(2*n+1), 2)
				b.ID.Terminal = fmt.Sprint("t", i)
				if i == 0 {
					b.FirstSeq += 5 // this one always leaves a gap
				}
				_, err := l.Append(t.Context(), b)
				if (err != nil) != (i == 0) {
					t.Errorf("terminal %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	got := numbers(t, l)
	if len(got) != terminals-1 {
		t.Errorf("%d lanes, want %d", len(got), terminals-1)
	}
	for lane, seqs := range got {
		if len(seqs) != 2*batches || !slices.IsSorted(seqs) {
			t.Errorf("%s holds %v", lane, seqs)
		}
	}
}

func TestFailedCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, l, telemetry(t, 1, 2)); err != nil {
		t.Fatal(err)
	}
	l.db.MaxSize = 1 // the file can't grow any more: every commit that needs a page fails
	var failed error
	for seq := uint64(3); failed == nil && seq < 1e5; seq += MaxRecords {
		_, failed = one(t, l, telemetry(t, seq, MaxRecords))
	}
	if !errors.Is(failed, ErrFailed) {
		t.Fatalf("Append = %v, want ErrFailed", failed)
	}
	select {
	case <-l.Failed():
	default:
		t.Error("Failed is not closed")
	}
	head := l.Head()
	l.db.MaxSize = 0
	if _, err := one(t, l, telemetry(t, 1, 1)); !errors.Is(err, ErrFailed) {
		t.Errorf("Append after the failure = %v, want ErrFailed", err)
	}
	if err := l.Wait(t.Context(), head); !errors.Is(err, ErrFailed) {
		t.Errorf("Wait = %v, want ErrFailed", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Head() != head {
		t.Errorf("head after reopening = %d, want %d", l.Head(), head)
	}
}
