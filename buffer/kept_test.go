package buffer_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// A shop that sells for years does not fill its queue with the keys of payments that were stored long ago; and no key
// goes before its payment is stored.
func TestKeptRowsGoWhenRoomIsNeeded(t *testing.T) {
	opts := options(t, t.TempDir())
	opts.MaxSize, opts.LedgerReserve = 4<<20, 1<<20
	q := open(t, opts)
	record := clean(t, "a payment")
	id := lane(t, q, buffer.Ledger).LaneID
	row := make([]byte, 100)
	n := 0
	sell := func(many int) error {
		return q.Update(t.Context(), func(tx *buffer.Tx) error {
			for range many {
				tx.Append(record)
				tx.Keep(buffer.Keys, fmt.Appendf(nil, "pkey-%d", n), row)
				n++
			}
			return nil
		})
	}
	has := func(i int) bool {
		found := false
		err := q.View(func(tx *buffer.ReadTx) error {
			found = tx.Get(buffer.Keys, fmt.Appendf(nil, "pkey-%d", i)) != nil
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for n < 60_000 { // 60,000 rows of over 100 bytes: more than fits
		if err := sell(20); err != nil {
			t.Fatalf("after %d sales: %v", n, err)
		}
		if err := q.Ack(t.Context(), id, lane(t, q, buffer.Ledger).Next-1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if has(0) || !has(n-1000) {
		t.Errorf("oldest key there: %v, a late one there: %v; want the late one only", has(0), has(n-1000))
	}
	first := n
	for sell(20) == nil { // until it is full: nothing of this is stored by the backend
	}
	for i := first; i < n-20; i += 97 {
		if !has(i) {
			t.Fatalf("the key of payment %d is gone, and the backend does not have it", i)
		}
	}
}

// When the file is nearly full, rows that nobody wants any more go first, then readings, and then rows that are still wanted. Those
// of unknown time go with what was kept after them.
func TestKeptRowsAreKeptAsLongAsTheyAreWanted(t *testing.T) {
	const day = 86_400_000
	for name, tt := range map[string]struct {
		until    func(sale int64) (now, until int64)
		readings bool // whether they are still there in the end
	}{
		"a trusted clock":       {func(now int64) (int64, int64) { return now, now + 30*day }, true},
		"wanted for longer":     {func(now int64) (int64, int64) { return now, now + 3000*day }, false},
		"a clock nobody trusts": {func(int64) (int64, int64) { return 0, math.MaxInt64 }, false},
		"one that is trusted late": {func(now int64) (int64, int64) {
			if now < 20*day {
				return 0, math.MaxInt64
			}
			return now, now + 30*day
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(t, t.TempDir())
			opts.MaxSize, opts.LedgerReserve = 4<<20, 1<<20
			q := open(t, opts)
			for range 20 {
				if _, err := q.AppendTelemetry(clean(t, "a reading")); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			q = open(t, opts)
			record, row := clean(t, "a payment"), make([]byte, 100)
			const days = 250
			for sale := range int64(days) {
				err := q.Update(t.Context(), func(tx *buffer.Tx) error {
					tx.KeepUntil(tt.until(sale * day))
					for i := range 100 {
						tx.Append(record)
						tx.Keep(buffer.Keys, fmt.Appendf(nil, "pkey-%d-%d", sale, i), row)
					}
					return nil
				})
				if err != nil {
					t.Fatalf("day %d: %v", sale, err)
				}
				if err := q.Ack(t.Context(), lane(t, q, buffer.Ledger).LaneID, lane(t, q, buffer.Ledger).Next-1, nil); err != nil {
					t.Fatal(err)
				}
			}
			there := func(sale int) (found bool) {
				err := q.View(func(tx *buffer.ReadTx) error {
					found = tx.Get(buffer.Keys, fmt.Appendf(nil, "pkey-%d-0", sale)) != nil
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return found
			}
			if there(0) || !there(days-25) {
				t.Errorf("the oldest row is there: %v, that of 25 days ago: %v", there(0), there(days-25))
			}
			readings := false
			for _, l := range q.Lanes() {
				readings = readings || l.Lane == buffer.Telemetry && l.Next == 21 && l.Oldest == 1
			}
			if readings != tt.readings {
				t.Errorf("readings are there: %v", readings)
			}
		})
	}
}

// A transaction's scan sees what the file has, what the journal holds, what came before it in its commit, and what it wrote.
func TestScanInTransaction(t *testing.T) {
	opts := options(t, t.TempDir())
	q := open(t, opts)
	put := func(keys ...string) {
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			for _, k := range keys {
				tx.Put(buffer.Cards, []byte(k), []byte("v"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a-1", "a-2", "b-1")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, opts)
	put("a-3", "a-4")
	stop := errors.New("stop")
	err := q.Update(t.Context(), func(tx *buffer.Tx) error {
		tx.Put(buffer.Cards, []byte("a-5"), []byte("v"))
		tx.Delete(buffer.Cards, []byte("a-1"))
		tx.Delete(buffer.Cards, []byte("a-3"))
		var keys []string
		err := tx.Scan(buffer.Cards, []byte("a-"), func(key, value []byte) error {
			keys = append(keys, string(key)+"="+string(value))
			return nil
		})
		if err != nil || fmt.Sprint(keys) != "[a-2=v a-4=v a-5=v]" {
			t.Errorf("scanned %v, %v", keys, err)
		}
		return tx.Scan(buffer.Cards, nil, func(_, _ []byte) error { return stop })
	})
	if !errors.Is(err, stop) {
		t.Errorf("the error of the function: %v", err)
	}
}

// What was deleted is in no page of a file that was written anew.
func TestWriteAnew(t *testing.T) {
	opts := options(t, t.TempDir())
	q := open(t, opts)
	secret := []byte("a name that is to be forgotten")
	store := func(change func(tx *buffer.Tx)) {
		if err := q.Update(t.Context(), func(tx *buffer.Tx) error { change(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	again := func() {
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		q = open(t, opts)
	}
	pour := func() { // what the journal holds, into the file
		if _, err := q.AppendTelemetry(clean(t, "a reading")); err != nil {
			t.Fatal(err)
		}
		again()
	}
	store(func(tx *buffer.Tx) {
		for i := range 2000 {
			tx.Put(buffer.Cards, fmt.Appendf(nil, "card-%d", i), bytes.Repeat([]byte("x"), 100))
		}
		tx.Put(buffer.Cards, []byte("card-1000-b"), secret)
	})
	pour()
	has := func() bool {
		raw, err := os.ReadFile(opts.Path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(raw, secret)
	}
	if !has() {
		t.Fatal("it was never in the file: the test shows nothing")
	}
	store(func(tx *buffer.Tx) { tx.Delete(buffer.Cards, []byte("card-1000-b")) })
	pour()
	if !has() {
		t.Fatal("it is gone of itself: the test shows nothing")
	}
	store(func(tx *buffer.Tx) { tx.WriteAnew() })
	pour()
	again()
	if has() {
		t.Error("the file still has it")
	}
	err := q.View(func(tx *buffer.ReadTx) error {
		return tx.Scan(buffer.Keys, nil, func(key, _ []byte) error { return fmt.Errorf("row %q is left", key) })
	})
	if err != nil {
		t.Error(err)
	}
}
