package buffer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
)

func TestReopenedQueueGoesOnInANewEpoch(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "one")
	add(t, q, "two")
	before := lane(t, q, buffer.Ledger)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := q.Update(t.Context(), func(*buffer.Tx) error { return nil }); !errors.Is(err, buffer.ErrClosed) {
		t.Errorf("closed queue gives %v", err)
	}

	q = open(t, opts)
	if lanes := q.Lanes(); lanes[0] != before {
		t.Errorf("lane was %+v, is %+v", before, lanes[0])
	}
	if seq := add(t, q, "three"); seq != 1 {
		t.Errorf("seq %d after reopening, want 1 of a new epoch", seq)
	}
	if records := readAll(t, q, before.LaneID); len(records) != 2 {
		t.Errorf("%d records in the old epoch, want 2", len(records))
	}
}

// A file that went back in time gives no number a second time, and what the backend has of it is not sent again.
func TestFileThatWentBackGivesNoNumberTwice(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		add(t, q, fmt.Sprint(i))
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	if q, err = buffer.Open(opts); err != nil {
		t.Fatal(err)
	}
	add(t, q, "in the second epoch")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(opts.Path, old, 0o600); err != nil {
		t.Fatal(err)
	}

	q = open(t, opts)
	add(t, q, "after the return")
	if now := lane(t, q, buffer.Ledger); now.LaneID == id || now.Next != 2 {
		t.Errorf("the file that went back goes on in %+v", now)
	}
	if err := q.Ack(t.Context(), id, 9, nil); err != nil { // the backend has seen more of it than there is
		t.Errorf("the backend is not believed: %v", err)
	}
	if left := lane(t, q, buffer.Ledger); left.Depth() != 1 {
		t.Errorf("%d records wait, want the new one", left.Depth())
	}
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	opts := options(t, t.TempDir())
	q := open(t, opts)
	add(t, q, "one")
	if _, err := buffer.Open(opts); !errors.Is(err, buffer.ErrLocked) {
		t.Errorf("second opening gives %v, want ErrLocked", err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	other := opts
	other.Terminal = "t-2"
	if _, err := buffer.Open(other); !errors.Is(err, buffer.ErrForeign) {
		t.Errorf("another terminal's file gives %v, want ErrForeign", err)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"not a database":  func([]byte) []byte { return []byte("hello, this is no database at all") },
		"both metas":      func(b []byte) []byte { clear(b[:8192]); return b },
		"cut to a page":   func(b []byte) []byte { return b[:4096] },
		"last pages gone": func(b []byte) []byte { return b[:3*4096] },
		"a page cleared":  func(b []byte) []byte { clear(b[2*4096:]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(t, t.TempDir())
			q, err := buffer.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			add(t, q, "one")
			before := lane(t, q, buffer.Ledger)
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			contents, err := os.ReadFile(opts.Path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(contents)
			if err := os.WriteFile(opts.Path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}

			q = open(t, opts)
			aside := q.SetAside()
			if len(aside) != 1 {
				t.Fatalf("set aside: %v, want one file", aside)
			}
			if kept, err := os.ReadFile(aside[0].File); err != nil || string(kept) != string(damaged) {
				t.Errorf("the damaged file was not kept as it was (%v)", err)
			}
			if after := lane(t, q, buffer.Ledger); after.Epoch == before.Epoch || after.Next != 1 {
				t.Errorf("the new file goes on in the old epoch: %+v", after)
			}
			add(t, q, "two")
			if found := len(readAll(t, q, before.LaneID)); found != int(aside[0].Records) {
				t.Errorf("%d records were saved, and %d can be read", aside[0].Records, found)
			}
		})
	}
}

func TestQueueThatCannotBeReachedAnswersAndComesBack(t *testing.T) {
	opts := options(t, t.TempDir())
	dir := filepath.Dir(opts.Path)
	blocker := filepath.Join(dir, "sub")
	opts.Path = filepath.Join(blocker, "queue.db")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil { // a file where the directory should be
		t.Fatal(err)
	}
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	err = q.Update(t.Context(), func(*buffer.Tx) error { return nil })
	if !errors.Is(err, buffer.ErrIO) || q.Stats().Fault == nil {
		t.Fatalf("got %v, fault %v; want ErrIO and a fault", err, q.Stats().Fault)
	}
	if _, err := q.AppendTelemetry(clean(t, "kept in memory")); err != nil {
		t.Errorf("telemetry is refused: %v", err)
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for q.Update(t.Context(), func(*buffer.Tx) error { return nil }) != nil {
		if time.Now().After(deadline) {
			t.Fatal("queue did not come back")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if q.Stats().Fault != nil {
		t.Error("the fault stays")
	}
}

func TestDeletedFileIsPutBack(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "before")
	if err := os.Remove(opts.Path); err != nil {
		t.Fatal(err)
	}
	add(t, q, "after")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, opts)
	n := 0
	for _, l := range q.Lanes() {
		if l.Lane == buffer.Ledger {
			n += len(readAll(t, q, l.LaneID))
		}
	}
	if n != 2 {
		t.Errorf("%d of 2 records are left", n)
	}
}
