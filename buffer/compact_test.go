package buffer_test

import (
	"os"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// A file that an outage has made large is small again after the next start, and nothing in it is lost.
func TestFileShrinksAtTheNextStart(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	record := clean(t, string(make([]byte, 200)))
	for range 30 {
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			for range 1000 {
				tx.Append(record)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Ack(t.Context(), id, 29_990, nil); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	large := fileSize(t, opts.Path)

	q = open(t, opts)
	if used := q.Stats().FileSize; used > 1<<20 {
		t.Errorf("the file's newest page is at %d", used)
	}
	const kept = 12 << 20 // for the ledger, when others fill the disk
	if small := fileSize(t, opts.Path); small > kept+1<<20 || small >= large {
		t.Errorf("file had %d bytes and has %d", large, small)
	}
	if records := readAll(t, q, id); len(records) != 10 || records[0].Seq != 29_991 {
		t.Errorf("%d records are left, want the last 10", len(records))
	}
	add(t, q, "and on it goes")
}

// What is left of an attempt to write a new file never takes the place of the queue.
func TestStaleNewFileIsRemoved(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "old")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(opts.Path+".new", old, 0o600); err != nil {
		t.Fatal(err)
	}
	q = open(t, opts)
	if _, err := os.Stat(opts.Path + ".new"); err == nil {
		t.Error("the stale file is still there, and would be taken for the queue one day")
	}
	add(t, q, "new")
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
