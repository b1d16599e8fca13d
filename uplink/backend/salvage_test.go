package backend

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// A queue that was salvaged without one payment: the backend is told of that one and of no other, once, and the terminal
// raises no alarm about the backend. Everything else lands, before the damage and after it.
func TestLostPaymentIsDeclaredOnceAndIsNoContradiction(t *testing.T) {
	const gone = 30
	m := newOffline(t, t.TempDir(), 8<<20)
	o := newOptions(t)
	b, stop := start(t, o)
	m.pay(t, 24)
	m.connect(t, o, b.Addr().String())
	m.pay(t, 24)
	epoch := m.queue.Lanes()[0].Epoch
	if err := m.queue.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, m.opts.Path, binary.BigEndian.AppendUint64(epoch[:], gone))
	m.open(t)
	defer func() { _ = m.queue.Close() }()
	m.pay(t, 12)
	if n := ledgers(m.queue); n != 2 {
		t.Fatalf("%d ledger epochs after the salvage, want 2", n)
	}
	for range 2 { // a second stream has nothing to declare
		m.connect(t, o, b.Addr().String())
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	landRest(t, o)
	got := readArrived(t, filepath.Join(o.Dir, "parquet")) // fails when a range is declared twice
	if got.payments != m.ledger-1 {
		t.Errorf("%d payments landed, want %d", got.payments, m.ledger-1)
	}
	if lost := slices.Collect(maps.Keys(got.lost[epoch.String()])); len(got.lost) != 1 || !slices.Equal(lost, []uint64{gone}) {
		t.Errorf("declared lost: %v", got.lost)
	}
}

func ledgers(q *buffer.Queue) int {
	n := 0
	for _, l := range q.Lanes() {
		if l.Lane == buffer.Ledger {
			n++
		}
	}
	return n
}

// spoil makes a queue that was closed one that is salvaged, and in which the record under key can't be found.
func spoil(t *testing.T, path string, key []byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := bytes.Index(file, key); i >= 0; i = bytes.Index(file, key) {
		file[i] ^= 0xff
	}
	clear(file[:2*os.Getpagesize()]) // bbolt's two first pages, which lead to all others
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".journal"); err != nil { // old frames of it may have the record too
		t.Fatal(err)
	}
}
