package buffer_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
)

// expectFixtures writes what is in the files of testdata/queue where that is not written yet.
var expectFixtures = flag.Bool("expect-fixtures", false, "write the expected.json that a new folder in testdata/queue lacks")

// contents is all that is in a queue. Bytes are in hexadecimal.
type contents struct {
	Format     uint32            `json:"format"`
	Terminal   string            `json:"terminal"`
	Lanes      []laneContents    `json:"lanes"`
	Quarantine []recordContents  `json:"quarantine"`
	Keys       map[string]string `json:"keys"`
	Cards      map[string]string `json:"cards"`
	Entries    map[string]string `json:"entries"`
}

type laneContents struct {
	Lane    string           `json:"lane"`
	Epoch   string           `json:"epoch"`
	Acked   uint64           `json:"acked"`
	Next    uint64           `json:"next"`
	Records []recordContents `json:"records"`
}

type recordContents struct {
	Lane    string `json:"lane,omitempty"`
	Epoch   string `json:"epoch,omitempty"`
	Seq     uint64 `json:"seq"`
	Reason  uint8  `json:"reason,omitempty"`
	Chain   string `json:"chain,omitempty"`
	Payload string `json:"payload"`
}

// The files of every released version are read as they are, and opened, with all that is in them.
func TestFixtures(t *testing.T) {
	folders, err := filepath.Glob("../testdata/queue/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			opts := copyFixture(t, folder)
			f := inspect(t, opts)
			found := inFile(f)
			if complaints := findings(f); len(complaints) > 0 {
				t.Errorf("findings: %q", complaints)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			expected := filepath.Join(folder, "expected.json")
			if _, err := os.Stat(expected); err != nil && *expectFixtures {
				text, err := json.MarshalIndent(found, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(expected, append(text, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			var want contents
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("the file as it is (-want +got):\n%s", diff)
			}

			delete(want.Keys, "00") // asks that the file is written anew
			q := open(t, opts)
			if aside := q.SetAside(); len(aside) > 0 {
				t.Fatalf("it was set aside: %+v", aside)
			}
			got := inQueue(t, q)
			got.Format, got.Terminal = want.Format, want.Terminal
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the file when it is opened (-want +got):\n%s", diff)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}

			f = inspect(t, opts)
			again := inFile(f)
			again.Format = want.Format
			if diff := cmp.Diff(want, again); diff != "" {
				t.Errorf("the file afterwards (-want +got):\n%s", diff)
			}
			if complaints := findings(f); len(complaints) > 0 {
				t.Errorf("findings afterwards: %q", complaints)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// copyFixture copies the files of a folder, and returns the options to open the queue with.
func copyFixture(t *testing.T, folder string) buffer.Options {
	t.Helper()
	opts := options(t, t.TempDir())
	for _, name := range []string{"queue.db", "queue.db.journal", "queue.key"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if os.IsNotExist(err) && name == "queue.db.journal" {
			continue // the first format has none
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(opts.Path), name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := pci.LoadKey(filepath.Join(filepath.Dir(opts.Path), "queue.key"))
	if err != nil {
		t.Fatal(err)
	}
	if opts.Keys, err = pci.NewSealer(key); err != nil {
		t.Fatal(err)
	}
	opts.Terminal = "t-0001"
	return opts
}

func inFile(f *buffer.File) contents {
	s := f.State()
	c := contents{Format: s.Format, Terminal: s.Terminal}
	for _, l := range f.Lanes() {
		lane := laneContents{Lane: l.Lane.String(), Epoch: l.Epoch.String(), Acked: l.Acked, Next: l.Next}
		for r := range f.Records(l.LaneID, 0) {
			lane.Records = append(lane.Records, contentsOf(l.Lane, r.Record))
		}
		c.Lanes = append(c.Lanes, lane)
	}
	for r := range f.Quarantine() {
		c.Quarantine = append(c.Quarantine, refusedContents(r))
	}
	rows := func(b buffer.Bucket) map[string]string {
		return maps.Collect(func(yield func(k, v string) bool) {
			for k, v := range f.Rows(b, nil) {
				if !yield(hex.EncodeToString(k), hex.EncodeToString(v)) {
					return
				}
			}
		})
	}
	c.Keys, c.Cards, c.Entries = rows(buffer.Keys), rows(buffer.Cards), rows(buffer.Entries)
	return c
}

// inQueue returns what an open queue holds of earlier openings.
func inQueue(t *testing.T, q *buffer.Queue) (c contents) {
	t.Helper()
	for _, l := range q.Lanes() {
		if l.Next == 1 {
			continue // of this opening
		}
		lane := laneContents{Lane: l.Lane.String(), Epoch: l.Epoch.String(), Acked: l.Acked, Next: l.Next}
		for _, r := range readAll(t, q, l.LaneID) {
			lane.Records = append(lane.Records, contentsOf(l.Lane, r))
		}
		c.Lanes = append(c.Lanes, lane)
	}
	refused, err := q.Quarantine(0, 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		c.Quarantine = append(c.Quarantine, refusedContents(r))
	}
	rows := func(b buffer.Bucket) map[string]string {
		found := map[string]string{}
		err := q.View(func(tx *buffer.ReadTx) error {
			return tx.Scan(b, nil, func(k, v []byte) error {
				found[hex.EncodeToString(k)] = hex.EncodeToString(v)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	c.Keys, c.Cards, c.Entries = rows(buffer.Keys), rows(buffer.Cards), rows(buffer.Entries)
	return c
}

func contentsOf(l buffer.Lane, r buffer.Record) recordContents {
	c := recordContents{Seq: r.Seq, Payload: hex.EncodeToString(r.Payload)}
	if l == buffer.Ledger {
		c.Chain = hex.EncodeToString(r.Chain[:])
	}
	return c
}

func refusedContents(r buffer.Stored) recordContents {
	c := contentsOf(r.Lane, r.Record)
	c.Lane, c.Epoch, c.Reason = r.Lane.String(), r.Epoch.String(), r.Reason
	return c
}
