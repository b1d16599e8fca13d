package buffer_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		appendUntilKilled(dir)
	}
	if os.Getenv(driveEnv) != "" {
		runTerminal()
	}
	goleak.VerifyTestMain(m)
}

func options(tb testing.TB, dir string) buffer.Options {
	tb.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		tb.Fatal(err)
	}
	return buffer.Options{
		Path:            filepath.Join(dir, "queue.db"),
		Terminal:        "t-1",
		Keys:            keys,
		MaxSize:         64 << 20,
		LedgerReserve:   16 << 20,
		TelemetryMemory: 1 << 20,
		SpillAfter:      time.Hour,
		Log:             zerolog.Nop(),
	}
}

// open opens the queue in dir, and closes and checks it in the end.
func open(tb testing.TB, opts buffer.Options) *buffer.Queue {
	tb.Helper()
	q, err := buffer.Open(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Error(err)
		}
		checkFile(tb, opts.Path)
	})
	return q
}

// checkFile lets bbolt look at every page.
func checkFile(tb testing.TB, path string) {
	tb.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second, PreLoadFreelist: true})
	if err != nil {
		tb.Error(err)
		return
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			tb.Error(err)
		}
		return nil
	})
	if err != nil {
		tb.Error(err)
	}
}

// clean returns a small checked record that names itself.
func clean(tb testing.TB, name string) pci.Clean {
	tb.Helper()
	c, err := pci.NewGuard(nil).Check(&wire.Lifecycle{Detail: name})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func add(tb testing.TB, q *buffer.Queue, name string) uint64 {
	tb.Helper()
	var seq uint64
	c := clean(tb, name)
	err := q.Update(tb.Context(), func(tx *buffer.Tx) error { seq = tx.Append(c); return nil })
	if err != nil {
		tb.Fatal(err)
	}
	return seq
}

func lane(tb testing.TB, q *buffer.Queue, l buffer.Lane) buffer.LaneState {
	tb.Helper()
	states := q.Lanes()
	for i := range states {
		if s := states[len(states)-1-i]; s.Lane == l {
			return s
		}
	}
	tb.Fatalf("no %v lane", l)
	return buffer.LaneState{}
}

func readAll(tb testing.TB, q *buffer.Queue, id buffer.LaneID) []buffer.Record {
	tb.Helper()
	var all []buffer.Record
	for from := uint64(1); ; from = all[len(all)-1].Seq + 1 {
		records, err := q.Read(id, from, 100, 1<<20)
		if err != nil {
			tb.Fatal(err)
		}
		if len(records) == 0 {
			return all
		}
		all = append(all, records...)
	}
}

func TestConcurrentAppendsAreNumberedWithoutGap(t *testing.T) {
	opts := options(t, t.TempDir())
	q := open(t, opts)
	const callers, each = 64, 25
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				seq := add(t, q, fmt.Sprintf("%d.%d", i, j))
				mu.Lock()
				seen[seq] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for seq := uint64(1); seq <= callers*each; seq++ {
		if !seen[seq] {
			t.Fatalf("seq %d was given to nobody", seq)
		}
	}
	if commits := q.Stats().Commits; commits >= callers*each {
		t.Errorf("%d appends took %d commits, want them shared", callers*each, commits)
	}

	var chain [32]byte
	for i, r := range readAll(t, q, lane(t, q, buffer.Ledger).LaneID) {
		if r.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i+1, r.Seq)
		}
		chain = sha256.Sum256(append(binary.BigEndian.AppendUint64(chain[:], r.Seq), r.Payload...))
		if [buffer.ChainLength]byte(chain[:]) != r.Chain {
			t.Fatalf("record %d is not chained to the one before", r.Seq)
		}
	}
}

func TestErrorUndoesOneCallerAndNobodyElse(t *testing.T) {
	q := open(t, options(t, t.TempDir()))
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for i := range 100 {
		key := fmt.Appendf(nil, "%d", i)
		c := clean(t, string(key))
		wg.Go(func() {
			err := q.Update(t.Context(), func(tx *buffer.Tx) error {
				tx.Append(c)
				tx.Put(buffer.Keys, key, key)
				if string(tx.Get(buffer.Keys, key)) != string(key) {
					t.Error("own write is not seen")
				}
				if i%2 == 1 {
					return refused
				}
				return nil
			})
			if (i%2 == 1) != errors.Is(err, refused) {
				t.Errorf("caller %d got %v", i, err)
			}
		})
	}
	wg.Wait()
	if got := lane(t, q, buffer.Ledger).Next; got != 51 {
		t.Errorf("next seq is %d, want 51", got)
	}
	kept := 0
	err := q.View(func(tx *buffer.ReadTx) error {
		return tx.Scan(buffer.Keys, nil, func(k, _ []byte) error { kept++; return nil })
	})
	if err != nil || kept != 50 {
		t.Errorf("%d keys were kept (%v), want 50", kept, err)
	}
}

func TestNothingIsWrittenForACallThatWritesNothing(t *testing.T) {
	q := open(t, options(t, t.TempDir()))
	add(t, q, "one")
	before := q.Stats().Commits
	for range 10 {
		if err := q.Update(t.Context(), func(tx *buffer.Tx) error { tx.Get(buffer.Keys, []byte("k")); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if after := q.Stats().Commits; after != before {
		t.Errorf("ten reads took %d commits", after-before)
	}
}

func TestAckedRecordsLeaveWithTheNextCommit(t *testing.T) {
	opts := options(t, t.TempDir())
	q := open(t, opts)
	for i := range 10 {
		add(t, q, fmt.Sprint(i))
	}
	id := lane(t, q, buffer.Ledger).LaneID
	commits := q.Stats().Commits
	if err := q.Ack(t.Context(), id, 7, nil); err != nil {
		t.Fatal(err)
	}
	if q.Stats().Commits != commits {
		t.Error("an ack took a commit of its own")
	}
	if s := lane(t, q, buffer.Ledger); s.Acked != 7 || s.Oldest != 8 || s.Depth() != 3 {
		t.Errorf("after the ack the lane is %+v", s)
	}
	add(t, q, "eleven")
	if records := readAll(t, q, id); len(records) != 4 || records[0].Seq != 8 {
		t.Errorf("%d records are left, from %d; want 4 from 8", len(records), records[0].Seq)
	}
	if err := q.Ack(t.Context(), id, 5, nil); err != nil {
		t.Errorf("an old ack gives %v", err)
	}
	if err := q.Ack(t.Context(), id, 12, nil); !errors.Is(err, buffer.ErrFalseAck) {
		t.Errorf("an ack for what was never made gives %v", err)
	}
	if s := lane(t, q, buffer.Ledger); s.Acked != 7 {
		t.Errorf("a false ack moved the watermark to %d", s.Acked)
	}
}

func TestRefusedRecordGoesToQuarantineAndBlocksNothing(t *testing.T) {
	q := open(t, options(t, t.TempDir()))
	for _, name := range []string{"one", "two", "three"} {
		add(t, q, name)
	}
	if _, err := q.AppendTelemetry(clean(t, "block")); err != nil {
		t.Fatal(err)
	}
	ledger, telemetry := lane(t, q, buffer.Ledger).LaneID, lane(t, q, buffer.Telemetry).LaneID
	if err := q.Ack(t.Context(), ledger, 3, []buffer.Reject{{Seq: 2, Reason: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := q.Ack(t.Context(), telemetry, 1, []buffer.Reject{{Seq: 1, Reason: 1}}); err != nil {
		t.Fatal(err)
	}
	if got := q.Stats().Quarantined; got != 2 {
		t.Errorf("%d records in quarantine, want 2", got)
	}
	for _, s := range q.Lanes() {
		if s.Depth() != 0 {
			t.Errorf("%v still holds %d records", s.LaneID, s.Depth())
		}
	}
}

func TestFullQueueDropsTelemetryAndThenRefuses(t *testing.T) {
	opts := options(t, t.TempDir())
	opts.MaxSize, opts.LedgerReserve, opts.TelemetryMemory = 4<<20, 2<<20, 64<<10
	q := open(t, opts)
	big := clean(t, string(make([]byte, 200))) // zero bytes: no digits to look at
	for range 20_000 {
		if _, err := q.AppendTelemetry(big); err != nil {
			t.Fatal(err)
		}
	}
	if q.Stats().Dropped == 0 {
		t.Error("no telemetry was dropped: the test tests nothing")
	}
	stored := uint64(0)
	appendTen := func() error {
		return q.Update(t.Context(), func(tx *buffer.Tx) error {
			for range 10 {
				tx.Append(big)
			}
			return nil
		})
	}
	var err error
	for err = appendTen(); err == nil && stored < 100_000; err = appendTen() {
		stored += 10
	}
	if !errors.Is(err, buffer.ErrFull) {
		t.Fatalf("after %d records: %v, want ErrFull", stored, err)
	}
	if bytes := stored * 288; bytes < 3<<20 { // payload, chain, seal, key and what bbolt adds
		t.Errorf("only %d bytes of ledger fit: telemetry was not made to go", bytes)
	}
	if size := q.Stats().FileSize; size > 5*opts.MaxSize/4 {
		t.Errorf("file has %d bytes, max_size is %d", size, opts.MaxSize)
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Ack(t.Context(), id, stored, nil); err != nil {
		t.Fatal(err)
	}
	if err := appendTen(); err != nil {
		t.Errorf("after the backend took everything: %v", err)
	}
}
