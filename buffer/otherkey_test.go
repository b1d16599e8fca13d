package buffer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
)

// Another key is in the place of the queue's: nothing is changed, whatever of the files is there, and with the right key
// everything is there again.
func TestOtherKeyChangesNothing(t *testing.T) {
	const n = 70 // some in the file, some in the journal
	other := sealerOf(t, 2)
	for name, change := range map[string]func(t *testing.T, opts buffer.Options){
		"both files":        func(*testing.T, buffer.Options) {},
		"the file alone":    func(t *testing.T, opts buffer.Options) { remove(t, opts.Path+".journal") },
		"the journal alone": func(t *testing.T, opts buffer.Options) { remove(t, opts.Path) },
		"a damaged file":    func(t *testing.T, opts buffer.Options) { edit(t, opts.Path, func(b []byte) { clear(b[:journalPage]) }) },
		"an empty file":     func(t *testing.T, opts buffer.Options) { edit(t, opts.Path, func(b []byte) { clear(b) }) },
		"not yet in place":  func(t *testing.T, opts buffer.Options) { rename(t, opts.Path, opts.Path+".new") },
	} {
		t.Run(name, func(t *testing.T) {
			opts := small(t)
			q := open(t, opts)
			for i := range n {
				addKeyed(t, q, fmt.Sprint(i))
			}
			opts = image(t, opts)
			change(t, opts)
			before := fingerprint(t, filepath.Dir(opts.Path))
			right := opts.Keys
			opts.Keys = other
			if _, err := buffer.Open(opts); !errors.Is(err, buffer.ErrOtherKey) {
				t.Fatalf("opening gives %v, want ErrOtherKey", err)
			}
			if fingerprint(t, filepath.Dir(opts.Path)) != before {
				t.Fatal("something was changed")
			}
			aside := opts
			aside.Path += ".without-key-1"
			if err := buffer.MoveAside(opts.Path, aside.Path); err != nil {
				t.Fatal(err)
			}
			fresh := open(t, opts)
			add(t, fresh, "goes on")
			if len(fresh.SetAside()) > 0 {
				t.Errorf("set aside %+v", fresh.SetAside())
			}
			aside.Keys = right
			if name == "both files" || name == "not yet in place" {
				wantKeyed(t, open(t, aside), lane(t, q, buffer.Ledger).LaneID, n)
			}
		})
	}
}

// One record under the key at hand, or none at all, and the queue is opened.
func TestFileIsOpenedWhenItsKeyMayFit(t *testing.T) {
	for name, n := range map[string]int{"no records": 0, "one of ten": 10, "its one record has a damaged key id": 1} {
		t.Run(name, func(t *testing.T) {
			opts := small(t)
			q := open(t, opts)
			for i := range n {
				addKeyed(t, q, fmt.Sprint(i))
			}
			opts = image(t, opts)
			switch n {
			case 0:
				opts.Keys = sealerOf(t, 2)
			case 1:
				edit(t, opts.Path+".journal", func(b []byte) {
					b[36+1+17+56+1+8+1+32] ^= 1
					fixFrame(b)
				})
			case 10:
				edit(t, opts.Path+".journal", func(b []byte) { clear(b[journalPage:]) })
				mixed := opts
				mixed.Keys = sealerOf(t, 2)
				if _, err := buffer.Open(mixed); !errors.Is(err, buffer.ErrOtherKey) {
					t.Fatalf("got %v", err)
				}
			}
			open(t, opts)
		})
	}
}

func TestMoveAsideRefusesAQueueInUse(t *testing.T) {
	opts := small(t)
	add(t, open(t, opts), "one")
	if err := buffer.MoveAside(opts.Path, opts.Path+".without-key-1"); !errors.Is(err, buffer.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func sealerOf(t *testing.T, seed byte) *pci.Sealer {
	t.Helper()
	s, err := pci.NewSealer([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
