package buffer_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
)

// filled makes a queue file with 300 ledger records, 20 of them acknowledged and one of these refused, 300 rows, and two
// blocks of telemetry in a second epoch.
func filled(t *testing.T) (buffer.Options, buffer.LaneID) {
	t.Helper()
	opts := options(t, t.TempDir())
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 300; i += 10 {
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			for j := i; j < i+10; j++ {
				tx.Append(clean(t, fmt.Sprint("record ", j)))
				tx.Keep(buffer.Keys, fmt.Appendf(nil, "p%d", j), make([]byte, 60))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Ack(t.Context(), id, 20, []buffer.Reject{{Seq: 7, Reason: 2}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := q.AppendTelemetry(clean(t, "block")); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return opts, id
}

func inspect(t *testing.T, opts buffer.Options) *buffer.File {
	t.Helper()
	f, err := buffer.OpenReadOnly(opts.Path, opts.Keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func findings(f *buffer.File) (found []string) {
	f.Verify(func(finding buffer.Finding) { found = append(found, finding.String()) })
	return found
}

func TestFileShowsWhatTheQueueHolds(t *testing.T) {
	opts, id := filled(t)
	before := fingerprint(t, filepath.Dir(opts.Path))
	f := inspect(t, opts)
	if s := f.State(); s.Format == 0 || s.Terminal != "t-1" || s.Size < s.Used || s.Used < 40<<10 || len(s.Aside) != 0 {
		t.Errorf("state = %+v", s)
	}
	lanes := f.Lanes()
	if len(lanes) != 2 || lanes[0] != (buffer.LaneState{LaneID: id, Oldest: 21, Next: 301, Acked: 20}) || lanes[1].Lane != buffer.Telemetry || lanes[1].Depth() != 2 {
		t.Fatalf("lanes = %+v", lanes)
	}
	want := uint64(100)
	for r := range f.Records(id, 100) {
		if r.Seq != want || r.Problem != nil || string(r.Payload) != string(clean(t, fmt.Sprint("record ", want-1)).Bytes()) {
			t.Fatalf("record %d: %+v", want, r)
		}
		want++
	}
	if want != 301 {
		t.Errorf("records end before %d, want 301", want)
	}
	refused := 0
	for r := range f.Quarantine() {
		refused++
		if r.LaneID != id || r.Seq != 7 || r.Reason != 2 || r.Problem != nil {
			t.Errorf("quarantine has %+v", r)
		}
	}
	rows := 0
	for range f.Rows(buffer.Keys, nil) {
		rows++
	}
	if refused != 1 || rows != 300 {
		t.Errorf("%d refused records and %d rows, want 1 and 300", refused, rows)
	}
	if found := findings(f); len(found) != 0 {
		t.Errorf("findings in a good file: %q", found)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if after := fingerprint(t, filepath.Dir(opts.Path)); after != before {
		t.Error("looking at the file changed something on disk")
	}
}

// fingerprint is of every file in a folder: its name, mode, time and contents.
func fingerprint(t *testing.T, dir string) [32]byte {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		contents, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %v %v %x", path, info.Mode(), info.ModTime(), contents)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

func TestFileNeedsNoPermissionToWrite(t *testing.T) {
	opts, _ := filled(t)
	dir := filepath.Dir(opts.Path)
	for _, path := range []string{opts.Path, dir} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode()&0o555); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if n := len(inspect(t, opts).Lanes()); n != 2 {
		t.Errorf("%d lanes, want 2", n)
	}
}

func TestOpenReadOnlyRefuses(t *testing.T) {
	opts := options(t, t.TempDir())
	if _, err := buffer.OpenReadOnly(opts.Path, opts.Keys); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	open(t, opts)
	if _, err := buffer.OpenReadOnly(opts.Path, opts.Keys); !errors.Is(err, buffer.ErrLocked) {
		t.Errorf("a file in use: %v", err)
	}
}

func TestFileWithoutItsKey(t *testing.T) {
	opts, id := filled(t)
	other, err := pci.NewSealer([32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]*pci.Sealer{"no key": nil, "another key": other} {
		t.Run(name, func(t *testing.T) {
			opts.Keys = keys
			f := inspect(t, opts)
			n := 0
			for r := range f.Records(id, 0) {
				if n++; r.Problem == nil || r.Payload != nil || len(r.Sealed) == 0 {
					t.Fatalf("record %+v", r)
				}
			}
			if n != 280 {
				t.Errorf("%d records, want 280", n)
			}
			if found := findings(f); len(found) != 283 {
				t.Errorf("%d findings, want one for each record", len(found))
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDropQuarantined(t *testing.T) {
	opts, id := filled(t)
	if n, err := buffer.DropQuarantined(opts.Path, func(got buffer.LaneID, seq uint64) bool { return got == id && seq == 8 }); n != 0 || err != nil {
		t.Errorf("dropped %d, %v; want none of another number", n, err)
	}
	if n, err := buffer.DropQuarantined(opts.Path, func(got buffer.LaneID, seq uint64) bool { return got == id && seq == 7 }); n != 1 || err != nil {
		t.Fatalf("dropped %d, %v; want the one", n, err)
	}
	f := inspect(t, opts)
	for r := range f.Quarantine() {
		t.Errorf("still there: %+v", r)
	}
	if found := findings(f); len(found) != 0 {
		t.Errorf("findings after it: %q", found)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	q := open(t, opts)
	if _, err := buffer.DropQuarantined(opts.Path, func(buffer.LaneID, uint64) bool { return true }); !errors.Is(err, buffer.ErrLocked) {
		t.Errorf("while the queue is open: %v", err)
	}
	if n := q.Stats().Quarantined; n != 0 {
		t.Errorf("%d in quarantine, want none", n)
	}
}

// What is in the journal alone is shown as if it were in the file.
func TestFileShowsTheJournal(t *testing.T) {
	opts, _ := filled(t)
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	add(t, q, "goes into the file, as every first one")
	for i := range 5 {
		err := q.Update(t.Context(), func(tx *buffer.Tx) error {
			tx.Append(clean(t, fmt.Sprint("in the journal ", i)))
			tx.Keep(buffer.Keys, fmt.Appendf(nil, "q%d", i), make([]byte, 60))
			tx.Delete(buffer.Keys, []byte("p298"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Ledger).LaneID
	dir := t.TempDir() // what a power cut leaves
	for _, name := range []string{"queue.db", "queue.db.journal"} {
		contents, err := os.ReadFile(filepath.Join(filepath.Dir(opts.Path), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), contents, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Path = filepath.Join(dir, "queue.db")

	f := inspect(t, opts)
	var records []string
	for r := range f.Records(id, 1) {
		records = append(records, string(r.Payload))
	}
	if len(records) != 6 || records[5] != string(clean(t, "in the journal 4").Bytes()) {
		t.Errorf("records are %q, want 6", records)
	}
	rows := map[string]bool{}
	for k := range f.Rows(buffer.Keys, nil) {
		rows[string(k)] = true
	}
	if len(rows) != 300-1+5 || rows["p298"] || !rows["q4"] || !rows["p297"] || !rows["p299"] {
		t.Errorf("%d rows, want the old ones without one, and the new ones", len(rows))
	}
	if l := f.Lanes(); len(l) != 3 || l[1].LaneID != id || l[1].Next != 7 || l[1].Depth() != 6 {
		t.Errorf("lanes = %+v", l)
	}
	// The row that was deleted is named by a note still.
	if found := findings(f); len(found) != 1 || !strings.Contains(found[0], "names 1 rows") {
		t.Errorf("findings = %q", found)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	journal, err := os.ReadFile(opts.Path + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(b []byte)
		want   string
	}{
		"a frame torn in the middle": {func(b []byte) { b[2*4096+50] ^= 1 }, "journal: a frame is missing"},
		"another terminal's": {func(b []byte) {
			for at := 0; at < 5*4096; at += 4096 {
				b[at+8] ^= 1
				fixFrame(b[at:])
			}
		}, "journal: it belongs to another terminal"},
		"newer than the file": {func(b []byte) { b[16+7] += 9; fixFrame(b) }, "journal: it is newer than the file"},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := append([]byte(nil), journal...)
			tt.change(damaged)
			if err := os.WriteFile(opts.Path+".journal", damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			f := inspect(t, opts)
			if found := findings(f); len(found) == 0 || !strings.HasPrefix(found[0], tt.want) || f.Damage() == nil {
				t.Errorf("findings = %q, damage = %v, want %q", found, f.Damage(), tt.want)
			}
			if f.Foreign() != (name == "another terminal's") {
				t.Errorf("foreign: %v", f.Foreign())
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Whose journal it is can't be told beside a file that says nothing.
func TestJournalBesideAnEmptyFileIsNobodys(t *testing.T) {
	opts := small(t)
	addKeyed(t, open(t, opts), "one")
	cut := image(t, opts)
	if err := os.Truncate(cut.Path, 0); err != nil {
		t.Fatal(err)
	}
	f := inspect(t, cut)
	defer f.Close()
	if found := strings.Join(findings(f), "\n"); f.Foreign() || strings.Contains(found, "another terminal") || !strings.Contains(found, "journal: ") {
		t.Errorf("foreign: %v, findings %s", f.Foreign(), found)
	}
}

// fixFrame makes a frame's checksum right.
func fixFrame(b []byte) {
	length := binary.BigEndian.Uint32(b[32:])
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:36+length], crc32.MakeTable(crc32.Castagnoli)))
}
