package buffer_test

import (
	"fmt"
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
