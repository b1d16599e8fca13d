package backend

import (
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
)

// arrived is what the Parquet files say of one terminal: by epoch, the telemetry records that landed whole, and those that
// were declared lost; and the payments.
type arrived struct {
	landed, lost map[string]map[uint64]bool
	payments     uint64
}

func readArrived(t *testing.T, dir string) arrived {
	t.Helper()
	type row struct {
		Epoch string `parquet:"epoch"`
		Seq   int64  `parquet:"seq"`
		ToSeq int64  `parquet:"to_seq,optional"`
	}
	a := arrived{landed: map[string]map[uint64]bool{}, lost: map[string]map[uint64]bool{}}
	events := map[string]map[uint64]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") || d.IsDir() {
			return err
		}
		rows, err := pq.ReadFile[row](path)
		for _, r := range rows {
			switch {
			case strings.Contains(path, "kind=payment/"):
				a.payments++
			case strings.Contains(path, "kind=lost/"):
				for seq := r.Seq; seq <= r.ToSeq; seq++ {
					if a.lost[r.Epoch] == nil {
						a.lost[r.Epoch] = map[uint64]bool{}
					}
					if a.lost[r.Epoch][uint64(seq)] {
						t.Errorf("record %d of %s was declared lost twice", seq, r.Epoch)
					}
					a.lost[r.Epoch][uint64(seq)] = true
				}
			case strings.Contains(path, "kind=lifecycle/"):
				if events[r.Epoch] == nil {
					events[r.Epoch] = map[uint64]int{}
				}
				events[r.Epoch][uint64(r.Seq)]++
			default:
				t.Errorf("unexpected file %s", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for epoch, seqs := range events {
		a.landed[epoch] = map[uint64]bool{}
		for seq, n := range seqs {
			a.landed[epoch][seq] = true
			if n != 4 {
				t.Errorf("block %d of %s landed with %d events, want 4", seq, epoch, n)
			}
		}
	}
	return a
}

// Readings that had to make room are declared, exactly those, and all others land; payments land whatever happened.
func TestDroppedReadingsAreDeclared(t *testing.T) {
	const room = 2 << 20
	for _, test := range []struct {
		name    string
		offline func(t *testing.T) *offline
		epochs  int // that hold or have lost something
	}{
		{"nothing dropped", func(t *testing.T) *offline {
			m := newOffline(t, t.TempDir(), room)
			m.pay(t, 12)
			m.read(t, 200)
			m.restart(t)
			m.read(t, 200)
			return m
		}, 2},
		{"oldest made room", func(t *testing.T) *offline {
			m := newOffline(t, t.TempDir(), room)
			m.pay(t, 12)
			m.read(t, 3000)
			return m
		}, 1},
		{"oldest made room, then a restart, and again", func(t *testing.T) *offline {
			m := newOffline(t, t.TempDir(), room)
			m.read(t, 1250)
			m.restart(t)
			m.read(t, 1250)
			m.restart(t)
			m.pay(t, 12)
			m.read(t, 100)
			return m
		}, 3},
		{"file full of payments, memory used up", func(t *testing.T) *offline {
			m := newOffline(t, t.TempDir(), room)
			m.read(t, 20)
			m.pay(t, 1<<20)
			m.read(t, 400)
			return m
		}, 1},
		{"disk full, memory used up", func(t *testing.T) *offline {
			m := newOffline(t, smallDisk(t, room), 16*room)
			m.pay(t, 12)
			m.read(t, 3000)
			m.pay(t, 12)
			return m
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := test.offline(t)
			defer m.queue.Close()
			held := m.held(t)
			dropped := m.queue.Stats().Dropped

			o := newOptions(t)
			b, stop := start(t, o)
			m.connect(t, o, b.Addr().String())
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			landRest(t, o)
			got := readArrived(t, filepath.Join(o.Dir, "parquet"))

			wantLanded, wantLost := map[string]map[uint64]bool{}, map[string]map[uint64]bool{}
			put := func(m map[string]map[uint64]bool, epoch string, seq uint64) {
				if m[epoch] == nil {
					m[epoch] = map[uint64]bool{}
				}
				m[epoch][seq] = true
			}
			lost := uint64(0)
			for epoch, last := range m.given {
				for seq := uint64(1); seq <= last; seq++ {
					if held[epoch][seq] {
						put(wantLanded, epoch, seq)
					} else {
						put(wantLost, epoch, seq)
						lost++
					}
				}
			}
			if diff := cmp.Diff(count(wantLanded), count(got.landed)); diff != "" || !same(wantLanded, got.landed) {
				t.Errorf("landed blocks by epoch: want -, got +\n%s", diff)
			}
			if diff := cmp.Diff(count(wantLost), count(got.lost)); diff != "" || !same(wantLost, got.lost) {
				t.Errorf("declared blocks by epoch: want -, got +\n%s", diff)
			}
			if got.payments != m.ledger || m.ledger == 0 && test.epochs < 2 {
				t.Errorf("%d payments landed, want %d", got.payments, m.ledger)
			}
			if len(m.given) != test.epochs {
				t.Errorf("%d epochs, want %d", len(m.given), test.epochs)
			}
			if drops := test.name != "nothing dropped"; drops != (lost > 0) || test.epochs == 1 && lost != dropped {
				t.Errorf("%d blocks are lost, the queue says %d", lost, dropped)
			}
			t.Logf("blocks landed: %v; declared lost: %v", count(got.landed), count(got.lost))
		})
	}
}

func same(a, b map[string]map[uint64]bool) bool {
	return maps.EqualFunc(a, b, func(x, y map[uint64]bool) bool { return maps.Equal(x, y) })
}

func count(m map[string]map[uint64]bool) map[string]int {
	n := map[string]int{}
	for epoch, seqs := range m {
		n[epoch[:8]] = len(seqs)
	}
	return n
}
