package disktest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// fill returns n bytes of one letter.
func fill(letter byte, n int) []byte { return bytes.Repeat([]byte{letter}, n) }

// left returns what a power cut leaves of a file, or nil when it is gone.
func left(t *testing.T, d *Disk, name string, keep Keep, r *rand.Rand) []byte {
	t.Helper()
	to := t.TempDir()
	if err := d.Cut(to, keep, r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, name))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		t.Fatal(err)
	}
	return b
}

// newDisk returns a disk with one durable file of two pages, whose inode is 1.
func newDisk() *Disk {
	f := &file{path: "/d/old", medium: fill('o', 2*page)}
	f.cache, f.shared = f.medium, true
	return &Disk{
		root: "/d", inodes: map[uint64]*file{1: f},
		names: map[string]*file{"/d/old": f}, durable: map[string]*file{"/d/old": f},
	}
}

func TestCutKeepsWhatWasSyncedAndNoMoreForSure(t *testing.T) {
	tests := map[string]struct {
		do        func(d *Disk)
		none, all []byte // what is left of the file
	}{
		"nothing happened": {
			do:   func(*Disk) {},
			none: fill('o', 2*page), all: fill('o', 2*page),
		},
		"write without a sync": {
			do:   func(d *Disk) { d.wrote(1, fill('n', page), page) },
			none: fill('o', 2*page), all: append(fill('o', page), fill('n', page)...),
		},
		"write and sync": {
			do:   func(d *Disk) { d.wrote(1, fill('n', page), page); d.synced(1, "/d/old") },
			none: append(fill('o', page), fill('n', page)...), all: append(fill('o', page), fill('n', page)...),
		},
		"write, failed sync, good sync": {
			do: func(d *Disk) {
				d.wrote(1, fill('n', page), page)
				d.syncFailed(1, false)
				d.synced(1, "/d/old")
			},
			none: fill('o', 2*page), all: append(fill('o', page), fill('n', page)...),
		},
		"write, failed sync, the same write again, good sync": {
			do: func(d *Disk) {
				d.wrote(1, fill('n', page), page)
				d.syncFailed(1, false)
				d.wrote(1, fill('n', page), page)
				d.synced(1, "/d/old")
			},
			none: append(fill('o', page), fill('n', page)...), all: append(fill('o', page), fill('n', page)...),
		},
		"grown without a sync": {
			do:   func(d *Disk) { d.wrote(1, fill('n', 10), 2*page) },
			none: fill('o', 2*page), all: append(fill('o', 2*page), fill('n', 10)...),
		},
		"cut short, grown and synced": {
			do:   func(d *Disk) { d.resized(1, 10); d.resized(1, 20); d.synced(1, "/d/old") },
			none: append(fill('o', 10), fill(0, 10)...), all: append(fill('o', 10), fill(0, 10)...),
		},
		"renamed without a sync of the directory": {
			do:   func(d *Disk) { d.renamed("/d/old", "/d/new") },
			none: fill('o', 2*page), all: nil,
		},
		"renamed and synced": {
			do:   func(d *Disk) { d.renamed("/d/old", "/d/new"); d.synced(0, "/d") },
			none: nil, all: nil,
		},
		"removed without a sync of the directory": {
			do:   func(d *Disk) { d.removed("/d/old") },
			none: fill('o', 2*page), all: nil,
		},
		"replaced by a file that was never synced": {
			do: func(d *Disk) {
				d.created("/d/new", 2, false)
				d.wrote(2, fill('n', 10), 0)
				d.renamed("/d/new", "/d/old")
				d.synced(0, "/d")
			},
			none: []byte{}, all: fill('n', 10),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			test.do(d)
			if got := left(t, d, "old", KeepNone, nil); !bytes.Equal(got, test.none) || (got == nil) != (test.none == nil) {
				t.Errorf("of what is not certain nothing is kept: %d bytes are left, want %d, or others", len(got), len(test.none))
			}
			if got := left(t, d, "old", KeepAll, nil); !bytes.Equal(got, test.all) || (got == nil) != (test.all == nil) {
				t.Errorf("all is kept: %d bytes are left, want %d, or others", len(got), len(test.all))
			}
		})
	}
}

func TestTornWriteLeavesEachSectorAsItWasAtOneTime(t *testing.T) {
	d := newDisk()
	d.wrote(1, fill('a', page), 0)
	d.wrote(1, fill('b', page), 0)
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[byte]bool{}
	for range 20 {
		b := left(t, d, "old", KeepSectors, r)
		for at := 0; at < page; at += sector {
			if !bytes.Equal(b[at:][:sector], fill(b[at], sector)) {
				t.Fatalf("the sector at %d is torn", at)
			}
			seen[b[at]] = true
		}
		if !bytes.Equal(b[page:], fill('o', page)) {
			t.Fatal("a page changed that was not written")
		}
	}
	if !seen['o'] || !seen['a'] || !seen['b'] {
		t.Errorf("sectors had the contents %v, want the old one and both new ones", seen)
	}
}

func TestNamesInALostDirectoryAreLost(t *testing.T) {
	d := newDisk()
	d.created("/d/sub", 2, true)
	d.created("/d/sub/file", 3, false)
	d.synced(2, "/d/sub")
	if left(t, d, "sub/file", KeepNone, nil) != nil {
		t.Error("the file is there, and its directory never was on disk")
	}
	d.synced(0, "/d")
	if left(t, d, "sub/file", KeepNone, nil) == nil {
		t.Error("the file is gone, and both directories were synced")
	}
}
