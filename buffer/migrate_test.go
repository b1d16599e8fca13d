package buffer_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer"
)

// formatOne makes a closed queue file into one of format 1, which had no journal.
func formatOne(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		for _, later := range []string{"journal", "journaled"} {
			if err := meta.Delete([]byte(later)); err != nil {
				return err
			}
		}
		return meta.Put([]byte("format"), binary.BigEndian.AppendUint32(nil, 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".journal"); err != nil {
		t.Fatal(err)
	}
}

func TestFileOfFormatOneIsMigrated(t *testing.T) {
	opts := small(t)
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	id := lane(t, q, buffer.Ledger).LaneID
	const n = 100
	for i := range n {
		addKeyed(t, q, fmt.Sprint(i))
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	formatOne(t, opts.Path)
	// An attempt that did not get to its end left this behind.
	if err := os.WriteFile(opts.Path+".new", []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}

	q = open(t, opts)
	if len(q.SetAside()) > 0 {
		t.Errorf("set aside %+v", q.SetAside())
	}
	wantKeyed(t, q, id, n)
	addKeyed(t, q, "new")
	wantKeyed(t, open(t, image(t, opts)), id, n)
}
