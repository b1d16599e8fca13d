package buffer_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
)

// The file goes bad under the running queue, in place: the queue salvages it and goes on, and what is in the journal stays.
func TestFileGoesBadInPlace(t *testing.T) {
	const n, inJournal = 70, 6
	for name, damage := range map[string]func(f *os.File) error{
		"cut to nothing":   func(f *os.File) error { return f.Truncate(0) },
		"cut to its metas": func(f *os.File) error { return f.Truncate(2 * journalPage) },
		"metas cleared": func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, 2*journalPage), 0)
			return err
		},
		"all cleared but its metas": func(f *os.File) error {
			_, err := f.WriteAt(make([]byte, 10*journalPage), 2*journalPage)
			return err
		},
	} {
		for _, first := range []string{"payment", "pour", "read"} {
			t.Run(name+", then a "+first, func(t *testing.T) {
				opts := small(t)
				q := open(t, opts)
				id := lane(t, q, buffer.Ledger).LaneID
				for i := range n {
					addKeyed(t, q, fmt.Sprint(i))
				}
				f, err := os.OpenFile(opts.Path, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				if err := damage(f); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				c := clean(t, "after")
				stored := func(n int) {
					for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
						err := q.Update(t.Context(), func(tx *buffer.Tx) error {
							for range n {
								tx.Append(c)
							}
							return nil
						})
						if err == nil {
							return
						}
						if time.Now().After(deadline) {
							t.Fatalf("queue did not come back: %v", err)
						}
					}
				}
				switch first {
				case "payment":
					stored(1)
				case "pour":
					stored(2000)
				case "read":
					_, _ = q.Read(id, 1, 10, 1<<20)
				}
				stored(2000) // too many for the journal: they need the file
				if _, err := q.Read(id, 1, 1000, 1<<20); err != nil {
					stored(1) // the damage was met only now
				}
				if got := len(readAll(t, q, id)); got < inJournal {
					t.Errorf("%d of the old records are left, want those that the journal holds", got)
				}
				if len(q.SetAside()) != 1 {
					t.Errorf("set aside %+v", q.SetAside())
				}
			})
		}
	}
}
