package disktest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Keep is how much of what was not certain is there after a power cut.
type Keep int

// The amounts.
const (
	KeepNone    Keep = 0 // nothing: the disk holds what was synced and no more
	KeepAll     Keep = 1 // everything
	KeepPages   Keep = 2 // of each page of 4 KiB one of its contents since it was last certain, by chance
	KeepSectors Keep = 3 // the same of each sector of 512 bytes: writes are torn
)

// String returns the amount in a word.
func (k Keep) String() string { return [...]string{"none", "all", "pages", "sectors"}[k] }

// Cut writes what a power cut at this moment leaves into the directory to, which must exist. What it leaves to chance
// is decided by r. The disk itself goes on.
func (d *Disk) Cut(to string, keep Keep, r *rand.Rand) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.durable)
	kept := len(d.renames)
	switch keep {
	case KeepNone:
		kept = 0
	case KeepPages, KeepSectors: // a file system's log keeps them in order
		kept = r.IntN(kept + 1)
	}
	for _, n := range d.renames[:kept] {
		n.apply(names)
	}
	for _, path := range slices.Sorted(maps.Keys(names)) { // a directory before what is in it
		f, place := names[path], filepath.Join(to, strings.TrimPrefix(path, d.root))
		if _, err := os.Stat(filepath.Dir(place)); err != nil {
			continue // the directory itself was lost
		}
		if f.dir {
			if err := os.Mkdir(place, 0o700); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(place, f.left(keep, r), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// left returns what a power cut leaves of the file.
func (f *file) left(keep Keep, r *rand.Rand) []byte {
	size := len(f.medium)
	if f.resized && (keep == KeepAll || keep >= KeepPages && r.IntN(2) == 0) {
		size = len(f.cache)
	}
	b := make([]byte, size)
	copy(b, f.medium)
	if keep == KeepNone {
		return b
	}
	step := page
	if keep == KeepSectors {
		step = sector
	}
	for _, p := range slices.Sorted(maps.Keys(f.versions)) {
		versions := f.versions[p]
		for at := 0; at < page; at += step {
			v := len(versions)
			if keep != KeepAll {
				v = r.IntN(len(versions) + 1)
			}
			if v > 0 {
				copy(clip(b, p*page+at, step), clip(versions[v-1], at, step))
			}
		}
	}
	return b
}
