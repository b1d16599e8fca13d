package buffer_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
)

const (
	journalPage = 4096
	namedSize   = 32 // of a frame: up to its index
)

// image copies the queue's files as a power cut would leave them, and returns options for the copy.
func image(t *testing.T, opts buffer.Options) buffer.Options {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", ".journal"} {
		b, err := os.ReadFile(opts.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "queue.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opts.Path = filepath.Join(dir, "queue.db")
	return opts
}

// edit changes a file's bytes.
func edit(t *testing.T, path string, change func([]byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// small is a queue with the smallest journal: 64 lone commits fill it.
func small(t *testing.T) buffer.Options {
	opts := options(t, t.TempDir())
	opts.MaxSize, opts.LedgerReserve = 4<<20, 1<<20
	return opts
}

// addKeyed appends a record and its key in one commit.
func addKeyed(t *testing.T, q *buffer.Queue, name string) {
	t.Helper()
	c := clean(t, name)
	err := q.Update(t.Context(), func(tx *buffer.Tx) error {
		tx.Append(c)
		tx.Keep(buffer.Keys, []byte(name), []byte("answer to "+name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantKeyed checks that n records of a lane are there in order, with their keys.
func wantKeyed(t *testing.T, q *buffer.Queue, id buffer.LaneID, n int) {
	t.Helper()
	records := readAll(t, q, id)
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if r.Seq != uint64(i+1) || r.Payload == nil {
			t.Fatalf("record %d has seq %d, %d bytes", i, r.Seq, len(r.Payload))
		}
	}
	err := q.View(func(tx *buffer.ReadTx) error {
		for i := range n {
			if string(tx.Get(buffer.Keys, fmt.Append(nil, i))) != fmt.Sprint("answer to ", i) {
				return fmt.Errorf("key %d is gone", i)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPowerCutFindsEverythingWhereverItIs(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	for n := range 200 { // the journal is emptied into the file three times
		addKeyed(t, q, fmt.Sprint(n))
		if n%7 != 0 && n < 190 {
			continue
		}
		again := open(t, image(t, opts))
		if aside := again.SetAside(); len(aside) > 0 {
			t.Fatalf("after %d: %+v", n+1, aside)
		}
		wantKeyed(t, again, lane(t, q, buffer.Ledger).LaneID, n+1)
	}
}

func TestTornFrameWasNeverAcknowledged(t *testing.T) {
	const frames = 5
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	for i := range frames {
		addKeyed(t, q, fmt.Sprint(i))
	}
	for at := 0; at < 400; at += 3 {
		torn := image(t, opts)
		var log strings.Builder
		torn.Log = zerolog.New(&log)
		edit(t, torn.Path+".journal", func(b []byte) { clear(b[(frames-1)*journalPage+at:][:journalPage-at]) })
		again := open(t, torn)
		if got := readAll(t, again, id); len(got) == frames { // the frame ends before that byte
			break
		} else if len(got) != frames-1 || len(again.SetAside()) > 0 {
			t.Fatalf("torn at %d: %d records, set aside %v", at, len(got), again.SetAside())
		}
		if told := strings.Contains(log.String(), "last frame can't be read"); told != (at >= namedSize) {
			t.Errorf("torn at %d: log %q", at, log.String())
		}
		wantKeyed(t, again, id, frames-1)
		if seq := add(t, again, "after"); seq != 1 {
			t.Errorf("the new epoch begins with %d", seq)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLostFrameIsReportedAndTheOthersAreUsed(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	for i := range 10 {
		addKeyed(t, q, fmt.Sprint(i))
	}
	damaged := image(t, opts)
	edit(t, damaged.Path+".journal", func(b []byte) { b[4*journalPage+60] ^= 1 })
	again := open(t, damaged)
	aside := again.SetAside()
	if len(aside) != 1 || aside[0].Records != 9 || aside[0].Missing != 1 {
		t.Fatalf("set aside %+v, want 9 records saved and 1 missing", aside)
	}
	if _, err := os.Stat(aside[0].File); err != nil {
		t.Errorf("the damaged journal was not kept: %v", err)
	}
	var seqs []uint64
	for from := uint64(1); from <= 10; {
		records, err := again.Read(id, from, 100, 1<<20)
		if err != nil || len(records) == 0 {
			t.Fatalf("from %d: %d records, %v", from, len(records), err)
		}
		for _, r := range records {
			seqs = append(seqs, r.Seq)
		}
		from = records[len(records)-1].Seq + 1
	}
	if fmt.Sprint(seqs) != "[1 2 3 4 6 7 8 9 10]" {
		t.Errorf("records %v", seqs)
	}
	add(t, again, "goes on")
}

// What is told as missing is what the uplink declares as lost: the first frames count as well.
func TestMissingFirstFramesAreCounted(t *testing.T) {
	for name, tt := range map[string]struct{ records, acked int }{
		"all of it in the journal": {10, 0}, "some of it acknowledged": {10, 2}, "some of it in the file": {70, 0},
	} {
		t.Run(name, func(t *testing.T) {
			opts := small(t)
			q := open(t, opts)
			id := lane(t, q, buffer.Ledger).LaneID
			for i := range tt.records {
				if addKeyed(t, q, fmt.Sprint(i)); i+1 == tt.acked {
					readAll(t, q, id)
					if err := q.Ack(t.Context(), id, uint64(tt.acked), nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			damaged := image(t, opts)
			edit(t, damaged.Path+".journal", func(b []byte) { clear(b[:3*journalPage]) })
			again := open(t, damaged)
			lost := uint64(0)
			for _, l := range again.Lanes() {
				if l.LaneID == id {
					lost = l.Next - 1 - l.Acked - uint64(len(readAll(t, again, id)))
				}
			}
			if aside := again.SetAside(); len(aside) != 1 || lost == 0 || aside[0].Missing != lost {
				t.Errorf("set aside %+v, and %d records are lost", aside, lost)
			}
		})
	}
}

// The newest meta page is gone after the journal was emptied and used again: the tree is older than the journal.
func TestLostMetaPageLosesNothing(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	const n = 150
	for i := range n {
		addKeyed(t, q, fmt.Sprint(i))
	}
	for page := range 2 {
		damaged := image(t, opts)
		edit(t, damaged.Path, func(b []byte) { clear(b[page*journalPage:][:journalPage]) })
		again := open(t, damaged)
		if got := len(readAll(t, again, id)); got != n {
			t.Errorf("without meta page %d: %d records, want %d; set aside %+v", page, got, n, again.SetAside())
		}
		add(t, again, "goes on")
	}
}

func TestOldCopyPutBackUnderTheJournal(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	for i := range 70 {
		addKeyed(t, q, fmt.Sprint(i))
	}
	old, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		addKeyed(t, q, fmt.Sprint(70+i))
	}
	mixed := image(t, opts)
	if err := os.WriteFile(mixed.Path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, mixed)
	if len(again.SetAside()) != 1 {
		t.Errorf("set aside %+v, want the old copy", again.SetAside())
	}
	for _, l := range again.Lanes() {
		if l.LaneID == id && l.Next != 271 {
			t.Errorf("the lane goes on at %d, want 271: no number is given twice", l.Next)
		}
	}
	if seq := add(t, again, "new"); seq != 1 {
		t.Errorf("the new epoch begins with %d", seq)
	}
}

func TestDeletedJournalIsMadeAgain(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	for i := range 5 {
		addKeyed(t, q, fmt.Sprint(i))
	}
	if err := os.Remove(opts.Path + ".journal"); err != nil {
		t.Fatal(err)
	}
	addKeyed(t, q, "5")
	addKeyed(t, q, "6")
	wantKeyed(t, open(t, image(t, opts)), id, 7)
}

func TestJournalOfAnotherTerminalIsLeftAlone(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	addKeyed(t, q, "0")
	other := image(t, opts)
	if err := os.Remove(other.Path); err != nil {
		t.Fatal(err)
	}
	other.Terminal = "t-2"
	before, err := os.ReadFile(other.Path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buffer.Open(other); !errors.Is(err, buffer.ErrForeign) {
		t.Errorf("error %v, want %v", err, buffer.ErrForeign)
	}
	if after, err := os.ReadFile(other.Path + ".journal"); err != nil || string(after) != string(before) {
		t.Errorf("the journal was changed (%v)", err)
	}
}

func TestJournalGoesOnAfterACrash(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	id := lane(t, q, buffer.Ledger).LaneID
	for i := range 5 {
		addKeyed(t, q, fmt.Sprint(i))
	}
	second := image(t, opts)
	before, err := os.ReadFile(second.Path)
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, second)
	next := lane(t, again, buffer.Ledger).LaneID
	for i := range 5 {
		addKeyed(t, again, fmt.Sprint("more ", i))
	}
	if after, err := os.ReadFile(second.Path); err != nil || string(after[:len(before)]) != string(before) {
		t.Errorf("the queue file was written to (%v)", err)
	}
	third := open(t, image(t, second))
	wantKeyed(t, third, id, 5)
	if got := readAll(t, third, next); len(got) != 5 {
		t.Errorf("%d records of the second opening, want 5", len(got))
	}
}

func TestUnfinishedCreationIsNoDamage(t *testing.T) {
	opts := small(t)
	if err := os.WriteFile(opts.Path+".create", make([]byte, 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	q := open(t, opts)
	if len(q.SetAside()) > 0 {
		t.Errorf("set aside: %+v", q.SetAside())
	}
	add(t, q, "works")
	if _, err := os.Stat(opts.Path + ".create"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left of an attempt is still there (%v)", err)
	}
}

func TestScanSeesBothPlaces(t *testing.T) {
	q := open(t, small(t))
	put := func(key, value string) {
		t.Helper()
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			if value == "" {
				tx.Delete(buffer.Cards, []byte(key))
			} else {
				tx.Put(buffer.Cards, []byte(key), []byte(value))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []string{"a1", "a3", "a5", "b1"} {
		put(k, "file")
	}
	if _, err := q.AppendTelemetry(clean(t, "reading")); err != nil {
		t.Fatal(err)
	}
	if err := q.Spill(t.Context()); err != nil { // the file takes over what the journal holds
		t.Fatal(err)
	}
	put("a0", "journal")
	put("a3", "journal")
	put("a5", "")
	put("a6", "journal")
	put("b0", "journal")
	got := ""
	err := q.View(func(tx *buffer.ReadTx) error {
		return tx.Scan(buffer.Cards, []byte("a"), func(k, v []byte) error {
			got += fmt.Sprintf("%s=%s ", k, v)
			return nil
		})
	})
	if want := "a0=journal a1=file a3=journal a6=journal "; err != nil || got != want {
		t.Errorf("scan: %q, %v, want %q", got, err, want)
	}
}

func TestSpilledTelemetryIsInTheJournal(t *testing.T) {
	opts := small(t)
	q := open(t, opts)
	add(t, q, "first") // makes the file
	before, err := os.ReadFile(opts.Path)
	if err != nil {
		t.Fatal(err)
	}
	id := lane(t, q, buffer.Telemetry).LaneID
	for n := range 3 {
		if _, err := q.AppendTelemetry(clean(t, fmt.Sprint("reading ", n))); err != nil {
			t.Fatal(err)
		}
		if err := q.Spill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := os.ReadFile(opts.Path); err != nil || string(after) != string(before) {
		t.Errorf("the queue file was written to (%v)", err)
	}
	if got := readAll(t, q, id); len(got) != 3 {
		t.Errorf("%d readings, want 3", len(got))
	}
	again := open(t, image(t, opts))
	if got := readAll(t, again, id); len(got) != 3 {
		t.Errorf("after a power cut: %d readings, want 3", len(got))
	}
	if err := again.Ack(t.Context(), id, 3, nil); err != nil {
		t.Fatal(err)
	}
	add(t, again, "second")
	for _, l := range again.Lanes() {
		if l.LaneID == id {
			t.Errorf("the lane stays: %+v", l)
		}
	}
}

// What happens to the files under a running agent costs nothing that it has acknowledged.
func TestFilesTakenAwayUnderTheQueue(t *testing.T) {
	move := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	for name, do := range map[string]func(t *testing.T, path, old string){
		"file replaced by an old copy":    func(t *testing.T, path, old string) { move(t, old, path) },
		"file moved away":                 func(t *testing.T, path, _ string) { move(t, path, path+".away") },
		"journal moved away":              func(t *testing.T, path, _ string) { move(t, path+".journal", path+".away") },
		"journal replaced by an old copy": func(t *testing.T, path, old string) { move(t, old+".journal", path+".journal") },
		"both replaced": func(t *testing.T, path, old string) {
			move(t, old, path)
			move(t, old+".journal", path+".journal")
		},
		"directory moved away": func(t *testing.T, path, _ string) { move(t, filepath.Dir(path), filepath.Dir(path)+".away") },
		"directory made anew": func(t *testing.T, path, _ string) {
			move(t, filepath.Dir(path), filepath.Dir(path)+".away")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := small(t)
			opts.Path = filepath.Join(filepath.Dir(opts.Path), "queue", "queue.db")
			q, err := buffer.Open(opts)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			id := lane(t, q, buffer.Ledger).LaneID
			n := 0
			for ; n < 70; n++ {
				addKeyed(t, q, fmt.Sprint(n))
			}
			old := image(t, opts)
			for ; n < 90; n++ {
				addKeyed(t, q, fmt.Sprint(n))
			}
			do(t, opts.Path, old.Path)
			for ; n < 200; n++ {
				addKeyed(t, q, fmt.Sprint(n))
			}
			again := open(t, image(t, opts))
			var records uint64
			for _, l := range again.Lanes() {
				if l.Lane == buffer.Ledger {
					records += l.Depth()
				}
			}
			if records != 200 {
				t.Errorf("%d records after a power cut, want 200; lane %v", records, id)
			}
			for _, s := range again.SetAside() {
				t.Errorf("set aside %+v", s)
			}
		})
	}
}

// What was beyond the end of a journal that is cut short is gone, and that is told of.
func TestJournalCutShortIsToldOf(t *testing.T) {
	for _, size := range []int64{0, 5 * journalPage, 5*journalPage + 7, 63 * journalPage} {
		opts := small(t)
		q := open(t, opts)
		for i := range 10 {
			addKeyed(t, q, fmt.Sprint(i))
		}
		cut := image(t, opts)
		if err := os.Truncate(cut.Path+".journal", size); err != nil {
			t.Fatal(err)
		}
		f := inspect(t, cut)
		if found := strings.Join(findings(f), "\n"); !strings.Contains(found, "journal: it is cut short") {
			t.Errorf("cut to %d bytes: findings %q", size, found)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, cut)
		if aside := again.SetAside(); len(aside) != 1 || aside[0].Reason != buffer.Damaged || aside[0].Records != uint64(min(size/journalPage, 10)) {
			t.Errorf("cut to %d bytes: set aside %+v", size, aside)
		}
		add(t, again, "goes on")
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if again = open(t, cut); len(again.SetAside()) > 0 {
			t.Errorf("told of twice: %+v", again.SetAside())
		}
	}
	larger := small(t)
	if err := open(t, larger).Close(); err != nil {
		t.Fatal(err)
	}
	larger.MaxSize *= 2
	if aside := open(t, larger).SetAside(); len(aside) > 0 {
		t.Errorf("more room for the queue: %+v", aside)
	}
}

func TestMissingFilesAreToldOf(t *testing.T) {
	for _, suffix := range []string{"", ".journal"} {
		opts := small(t)
		q := open(t, opts)
		addKeyed(t, q, "0")
		cut := image(t, opts)
		if err := os.Remove(cut.Path + suffix); err != nil {
			t.Fatal(err)
		}
		again := open(t, cut)
		if aside := again.SetAside(); len(aside) != 1 || aside[0].Reason != buffer.Gone || aside[0].File != cut.Path+suffix {
			t.Errorf("without queue.db%s: %+v", suffix, aside)
		}
		add(t, again, "goes on")
	}
	if aside := open(t, small(t)).SetAside(); len(aside) > 0 {
		t.Errorf("a new queue: %+v", aside)
	}
}
