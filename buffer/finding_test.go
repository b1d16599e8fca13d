package buffer_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer"
)

// Each kind of damage that leaves the pages whole is found, and nothing else is.
func TestVerifyFinds(t *testing.T) {
	at := func(id buffer.LaneID, seq uint64) []byte { return binary.BigEndian.AppendUint64(id.Epoch[:], seq) }
	row := func(id buffer.LaneID) []byte { return append([]byte{byte(id.Lane)}, id.Epoch[:]...) }
	edit := func(b *bolt.Bucket, key []byte, change func(v []byte)) error {
		v := append([]byte(nil), b.Get(key)...)
		change(v)
		return b.Put(key, v)
	}
	opts, id := filled(t)
	whole, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(tx *bolt.Tx, id buffer.LaneID) error
		want   []string
	}{
		"a record changed": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				return edit(tx.Bucket([]byte("ledger")), at(id, 50), func(v []byte) { v[len(v)-1] ^= 1 })
			}, []string{"record 50: cannot open sealed bytes"},
		},
		"a head changed": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				return edit(tx.Bucket([]byte("ledger")), at(id, 50), func(v []byte) { v[3] ^= 1 })
			}, []string{"record 50: the chain does not follow", "record 51: the chain does not follow"},
		},
		"two records swapped": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				b := tx.Bucket([]byte("ledger"))
				first, second := append([]byte(nil), b.Get(at(id, 50))...), append([]byte(nil), b.Get(at(id, 51))...)
				if err := b.Put(at(id, 50), second); err != nil {
					return err
				}
				return b.Put(at(id, 51), first)
			}, []string{"record 50: cannot open", "record 51: cannot open", "record 52: the chain does not follow"},
		},
		"a record missing": {
			func(tx *bolt.Tx, id buffer.LaneID) error { return tx.Bucket([]byte("ledger")).Delete(at(id, 50)) },
			[]string{"record 50: it is missing"},
		},
		"the last two missing": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				if err := tx.Bucket([]byte("ledger")).Delete(at(id, 299)); err != nil {
					return err
				}
				return tx.Bucket([]byte("ledger")).Delete(at(id, 300))
			}, []string{"record 299: it and 1 after it are missing"},
		},
		"a lane's row gone": {
			func(tx *bolt.Tx, id buffer.LaneID) error { return tx.Bucket([]byte("lanes")).Delete(row(id)) },
			[]string{"280 records of a lane that has no row"},
		},
		"a lane's head changed": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				return edit(tx.Bucket([]byte("lanes")), row(id), func(v []byte) { v[55] ^= 1 })
			}, []string{"the lane's chain head is not that of its last record"},
		},
		"a lane's next changed": {
			func(tx *bolt.Tx, id buffer.LaneID) error {
				return edit(tx.Bucket([]byte("lanes")), row(id), func(v []byte) { binary.BigEndian.PutUint64(v[8:], 300) })
			}, []string{"record 300: the lane ends with record 299"},
		},
		"a key's row gone": {
			func(tx *bolt.Tx, _ buffer.LaneID) error { return tx.Bucket([]byte("keys")).Delete([]byte("p9")) },
			[]string{"kept: note 1 names 1 rows that are not there"},
		},
		"a bucket gone": {
			func(tx *bolt.Tx, _ buffer.LaneID) error { return tx.DeleteBucket([]byte("cards")) },
			[]string{"cards: the bucket is missing"},
		},
		"a strange bucket": {
			func(tx *bolt.Tx, _ buffer.LaneID) error { _, err := tx.CreateBucket([]byte("x")); return err },
			[]string{`"x": no such bucket is known`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.Path = filepath.Join(t.TempDir(), "queue.db")
			if err := os.WriteFile(opts.Path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(opts.Path+".journal", emptyJournal, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := bolt.Open(opts.Path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(func(tx *bolt.Tx) error { return tt.change(tx, id) }); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			found := findings(inspect(t, opts))
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

// Whatever is flipped anywhere, or cut off: what is read is read without a fault, and what the queue would set aside is
// found.
func TestVerifySurvivesDamage(t *testing.T) {
	opts, _ := filled(t)
	whole, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	used := inspect(t, opts).State().Used
	rng := rand.New(rand.NewPCG(2, 2))
	opts.Path = filepath.Join(t.TempDir(), "damaged.db")
	found := 0
	for i := range 120 {
		damaged := append([]byte(nil), whole...)
		switch i % 3 {
		case 0:
			damaged[rng.Int64N(used)] ^= 1 << rng.IntN(8)
		case 1:
			clear(damaged[rng.Int64N(used):][:4096])
		default:
			damaged = damaged[:rng.Int64N(used)]
		}
		if err := os.WriteFile(opts.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := buffer.OpenReadOnly(opts.Path, opts.Keys)
		if err != nil {
			t.Fatal(err)
		}
		if len(findings(f)) > 0 {
			found++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if found < 60 {
		t.Errorf("%d of 120 were found: the test tests little", found)
	}
}
