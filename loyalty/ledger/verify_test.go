package ledger_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
)

// Each row that does not add up is found, and nothing is in a good file.
func TestVerifyFindsRowsThatDoNotAddUp(t *testing.T) {
	first := func(b *bolt.Bucket) (k, v []byte) {
		k, v = b.Cursor().Seek([]byte("c")) // a card, an entry, or an answer behind what payments have come to
		return append([]byte(nil), k...), append([]byte(nil), v...)
	}
	changed := func(change func(*loyalty.Row)) func(*bolt.Bucket) error {
		return func(b *bolt.Bucket) error {
			k, v := first(b)
			return b.Put(k, ledger.ChangeCard(b.Tx().Bucket([]byte("keys")).Get, k, v, change))
		}
	}
	number := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, tt := range map[string]struct {
		bucket string
		change func(b *bolt.Bucket) error
		want   []string
	}{
		"nothing": {"cards", func(*bolt.Bucket) error { return nil }, nil},
		"a card without an entry": {"cards", changed(func(r *loyalty.Row) { r.Open = r.Open[1:] }),
			[]string{"record 1: the record's card does not have its entry"}},
		"a card with another entry": {"cards", changed(func(r *loyalty.Row) { r.Open[1].Body = loyalty.Stamp{Stamps: 4} }),
			[]string{"record 2: the card has another entry in the record's place"}},
		"a card with an entry of no record": {"cards", changed(func(r *loyalty.Row) {
			e := r.Open[1]
			e.ID.Seq = 99
			r.Open = append(r.Open, e)
		}), []string{"record 99: a row names the record, and the lane ends with 3"}},
		"a card cut short": {"cards", func(b *bolt.Bucket) error {
			k, _ := first(b)
			return b.Put(k, []byte{1})
		}, []string{"cards: a card can't be read"}},
		"a card gone": {"cards", func(b *bolt.Bucket) error {
			k, _ := first(b)
			return b.Delete(k)
		}, []string{"record 1: the record's card is not there", "record 2: the record's card is not there"}},
		"an entry that is none": {"entries", func(b *bolt.Bucket) error { return b.Put([]byte("x"), number(1)) }, []string{"entries: an entry can't be read"}},
		"a payment cut short":   {"keys", func(b *bolt.Bucket) error { return b.Put([]byte("Pk"), []byte{1, 2}) }, []string{"keys: a payment can't be read"}},
		"a stored payment of no time": {"keys", func(b *bolt.Bucket) error {
			return b.Put([]byte("ok"), append(make([]byte, 16), "EUR"...))
		}, []string{"keys: the time of a stored payment is not there", "keys: what is stored in all is not what the stored payments come to"}},
		"a stored payment cut short": {"keys", func(b *bolt.Bucket) error { return b.Put([]byte("ok"), []byte("EUR")) }, []string{"keys: a stored payment can't be read"}},
		"a time cut short":           {"keys", func(b *bolt.Bucket) error { return b.Put([]byte("n1"), nil) }, []string{"keys: the time of a stored payment can't be read"}},
		"what is stored cut short":   {"keys", func(b *bolt.Bucket) error { return b.Put([]byte("t"), []byte{0}) }, []string{"keys: what is stored in all can't be read"}},
		"what is stored is too much": {"keys", func(b *bolt.Bucket) error {
			return b.Put([]byte("t"), append(append(make([]byte, 7), 1), make([]byte, 18)...))
		}, []string{"keys: what is stored in all is not what the stored payments come to"}},
		"leases cut short": {"keys", func(b *bolt.Bucket) error {
			return b.Put(append([]byte("L"), make([]byte, 32)...), make([]byte, 40))
		}, []string{"keys: a row of the cards can't be read"}},
		"an answer cut short": {"keys", func(b *bolt.Bucket) error {
			k, v := b.Cursor().Seek([]byte("p"))
			return b.Put(bytes.Clone(k), v[:39])
		}, []string{"keys: an answer can't be read"}},
		"an answer of no operation": {"keys", func(b *bolt.Bucket) error {
			_, v := first(b)
			return b.Put([]byte("xyz"), v)
		}, []string{"keys: an answer can't be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tm := newTerminal(t, dir)
			for i := range 2 {
				if _, err := tm.AwardStamps(t.Context(), award(fmt.Sprint("stamp-", i), 3)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tm.RecordPayment(t.Context(), payment("k", 1)); err != nil {
				t.Fatal(err)
			}
			if err := tm.queue.Close(); err != nil {
				t.Fatal(err)
			}
			reopened := newTerminal(t, dir) // takes the journal into the file with its first commit
			if _, err := reopened.RecordPayment(t.Context(), payment("later", 1)); err != nil {
				t.Fatal(err)
			}
			if err := reopened.queue.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "queue.db")
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(func(tx *bolt.Tx) error { return tt.change(tx.Bucket([]byte(tt.bucket))) }); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			keys, err := pci.NewSealer([32]byte{1})
			if err != nil {
				t.Fatal(err)
			}
			f, err := buffer.OpenReadOnly(path, keys)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var found []string
			ledger.Verify(f, func(f buffer.Finding) { found = append(found, f.String()) })
			if len(found) != len(tt.want) {
				t.Fatalf("findings = %q, want %q", found, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(found[i], want) {
					t.Errorf("finding %q, want %q", found[i], want)
				}
			}
		})
	}
}
