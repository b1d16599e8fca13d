package buffer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// A page is lost wherever it lies: what is not on it is saved, and what was on it is counted.
// emptyJournal is the largest journal there is.
var emptyJournal = make([]byte, 4<<20)

func TestSalvageLosesNoMoreThanThePageThatIsGone(t *testing.T) {
	const records, pageSize = 400, 4096
	dir := t.TempDir()
	opts := options(t, dir)
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		c := clean(t, fmt.Sprint("record ", i))
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			tx.Append(c)
			tx.Put(buffer.Keys, fmt.Appendf(nil, "key-%d", i), []byte("answer"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(opts.Path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, opts)
	used := int(again.Stats().FileSize / pageSize)

	damaging := 0
	for page := range used {
		t.Run(fmt.Sprint("page ", page), func(t *testing.T) {
			opts := opts
			opts.Path = filepath.Join(t.TempDir(), "queue.db")
			damaged := append([]byte(nil), whole...)
			clear(damaged[page*pageSize:][:pageSize])
			if err := os.WriteFile(opts.Path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if page >= 2 { // else it alone would make up for the page
				journal = emptyJournal
			}
			if err := os.WriteFile(opts.Path+".journal", journal, 0o600); err != nil {
				t.Fatal(err)
			}
			q := open(t, opts)
			saved := readAll(t, q, id)
			aside := q.SetAside()
			if len(aside) == 0 { // the page was free, or one of the two metas: the other one has the commit before
				if len(saved) < records {
					t.Fatalf("%d records without damage, want %d", len(saved), records)
				}
				add(t, q, "makes the meta")
				add(t, q, "pages whole again")
				return
			}
			damaging++
			s := aside[0]
			if uint64(len(saved)) != s.Records {
				t.Errorf("said that %d were saved, %d can be read", s.Records, len(saved))
			}
			if lost := records - len(saved); lost > pageSize/100 {
				t.Errorf("%d records are gone with one page", lost)
			}
			if s.Records+s.Missing != records && s.Missing != 0 {
				t.Errorf("%d saved and %d missing, of %d", s.Records, s.Missing, records)
			}
			if current := lane(t, q, buffer.Ledger); current.LaneID == id {
				t.Error("the new file goes on in the old epoch")
			}
			if seq := add(t, q, "new"); seq != 1 {
				t.Errorf("the new epoch begins with %d", seq)
			}
		})
	}
	if damaging < 20 {
		t.Errorf("only %d of %d pages mattered: the test tests little", damaging, used)
	}
}

// Without its first two pages nothing leads to anything, and the ledger is found all the same.
func TestSalvageFindsTheLedgerWithoutTheTree(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		add(t, q, fmt.Sprint(i))
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:2*4096])
	if err := os.WriteFile(opts.Path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	q = open(t, opts)
	if n := len(readAll(t, q, id)); n != 100 {
		t.Errorf("%d of 100 records were found", n)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}

	q = open(t, opts) // and stay
	if n := len(readAll(t, q, id)); n != 100 {
		t.Errorf("%d of 100 records are there after a restart", n)
	}
	if len(q.SetAside()) != 0 {
		t.Error("the new file was set aside as well")
	}
	if err := q.Ack(t.Context(), id, 100, nil); err != nil {
		t.Fatal(err)
	}
	add(t, q, "new")
	for _, l := range q.Lanes() {
		if l.LaneID == id {
			t.Errorf("the old epoch is still there after all of it was acknowledged: %+v", l)
		}
	}
}

// Whatever is flipped in the headers of pages and entries: the queue opens, no ledger record is lost without being
// counted, and no key is lost while the file is taken for whole.
func TestFlippedHeadersAreFoundAndSurvived(t *testing.T) {
	const records, pageSize = 150, 4096
	opts := options(t, t.TempDir())
	opts.MaxSize, opts.LedgerReserve = 8<<20, 2<<20 // a small journal is made sooner
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		c := clean(t, fmt.Sprint("record ", i))
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			tx.Append(c)
			tx.Put(buffer.Keys, fmt.Appendf(nil, "pkey-%d", i), make([]byte, 60))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	used := int(open(t, opts).Stats().FileSize / pageSize)

	rng := rand.New(rand.NewPCG(1, 1))
	found := 0
	for i := range 400 {
		page, at, bit := 2+rng.IntN(used-2), rng.IntN(64), rng.IntN(8)
		damaged := append([]byte(nil), whole...)
		damaged[page*pageSize+at] ^= 1 << bit
		if i%3 == 0 { // a whole entry of the page is cleared
			clear(damaged[page*pageSize+16+at/16*16:][:16])
		}
		opts := opts
		opts.Path = filepath.Join(t.TempDir(), "queue.db")
		if err := os.WriteFile(opts.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(opts.Path+".journal", emptyJournal[:512<<10], 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := buffer.Open(opts)
		if err != nil {
			t.Fatalf("page %d byte %d bit %d: %v", page, at, bit, err)
		}
		saved, keys := len(readAll(t, q, id)), 0
		err = q.View(func(tx *buffer.ReadTx) error {
			return tx.Scan(buffer.Keys, nil, func(_, _ []byte) error { keys++; return nil })
		})
		if err != nil {
			t.Fatalf("page %d byte %d bit %d: %v", page, at, bit, err)
		}
		if aside := q.SetAside(); len(aside) > 0 {
			found++
			if s := aside[0]; uint64(saved) != s.Records || s.Missing == 0 && saved < records-1 {
				t.Errorf("page %d byte %d bit %d: %d of %d records, said %+v", page, at, bit, saved, records, s)
			}
		} else if saved != records || keys != records {
			t.Errorf("page %d byte %d bit %d: taken for whole with %d records and %d keys of %d", page, at, bit, saved, keys, records)
		}
		if err := q.Close(); err != nil {
			t.Errorf("page %d byte %d bit %d: %v", page, at, bit, err)
		}
	}
	if found < 20 {
		t.Errorf("only %d of 200 were found: the test tests little", found)
	}
}

// A power cut between setting the damaged file aside and putting the new one in place.
func TestUnfinishedReplacementIsFinished(t *testing.T) {
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "one")
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(opts.Path, opts.Path+".new"); err != nil {
		t.Fatal(err)
	}
	q = open(t, opts)
	if n := len(readAll(t, q, id)); n != 1 {
		t.Errorf("%d records after the replacement was finished, want 1", n)
	}
}
