package parquet_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/stampd/stampd/uplink/backend/land/parquet"
)

var errPower = errors.New("power is off")

// memory is a disk that forgets what was not synced when its power is cut. Folders are files without contents.
type memory struct {
	names  map[string]*contents // as the program sees them
	synced map[string]*contents // as a power cut leaves them at least
	left   int                  // operations until the cut; negative means none comes
}

type contents struct {
	folder bool
	bytes  []byte
	synced []byte
}

func newMemory() *memory {
	root := map[string]*contents{".": {folder: true}}
	return &memory{names: root, synced: maps.Clone(root), left: -1}
}

// cut cuts the power. Each thing that was not synced is kept or lost as keep says, and of contents only a part is kept.
func (m *memory) cut(keep func() bool) {
	after := map[string]*contents{}
	all := maps.Clone(m.synced)
	maps.Copy(all, m.names)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := m.synced[name]
		if m.names[name] != c && keep() {
			c = m.names[name]
		}
		if parent := after[path.Dir(name)]; c == nil || name != "." && parent == nil {
			continue
		}
		b := c.synced
		if !bytes.Equal(b, c.bytes) && keep() {
			b = slices.Concat(c.bytes[:len(c.bytes)/2], make([]byte, len(c.bytes)/4))
		}
		after[name] = &contents{folder: c.folder, bytes: slices.Clone(b), synced: slices.Clone(b)}
	}
	m.names, m.synced, m.left = after, maps.Clone(after), -1
}

func (m *memory) step() error {
	if m.left == 0 {
		return errPower
	}
	m.left--
	return nil
}

func (m *memory) Create(name string) (parquet.File, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	if p := m.names[path.Dir(name)]; p == nil || !p.folder {
		return nil, fs.ErrNotExist
	}
	m.names[name] = &contents{}
	return &memoryFile{m, m.names[name]}, nil
}

func (m *memory) ReadFile(name string) ([]byte, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	if c := m.names[name]; c != nil {
		return slices.Clone(c.bytes), nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Rename(from, to string) error {
	if err := m.step(); err != nil {
		return err
	}
	if m.names[from] == nil {
		return fs.ErrNotExist
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memory) Remove(name string) error {
	if err := m.step(); err != nil {
		return err
	}
	if m.names[name] == nil {
		return fs.ErrNotExist
	}
	delete(m.names, name)
	return nil
}

func (m *memory) Mkdir(name string) error {
	if err := m.step(); err != nil {
		return err
	}
	if m.names[path.Dir(name)] == nil {
		return fs.ErrNotExist
	}
	if m.names[name] == nil {
		m.names[name] = &contents{folder: true}
	}
	return nil
}

func (m *memory) Glob(pattern string) ([]string, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	var out []string
	for name := range m.names {
		if ok, err := path.Match(pattern, name); err != nil {
			return nil, err
		} else if ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (m *memory) SyncFolder(name string) error {
	if err := m.step(); err != nil {
		return err
	}
	maps.DeleteFunc(m.synced, func(n string, _ *contents) bool { return n != "." && path.Dir(n) == name })
	for n, c := range m.names {
		if path.Dir(n) == name {
			m.synced[n] = c
		}
	}
	return nil
}

type memoryFile struct {
	disk *memory
	*contents
}

func (f *memoryFile) Write(b []byte) (int, error) {
	if err := f.disk.step(); err != nil {
		return 0, err
	}
	f.bytes = append(f.bytes, b...)
	return len(b), nil
}

func (f *memoryFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	f.synced = slices.Clone(f.bytes)
	return nil
}

func (f *memoryFile) Close() error { return nil }

// The power is cut before operation 1, then 2, then 3, until there are no more, and again while the next lander makes
// good. What was not synced is lost, or some of it is there.
func TestPowerCut(t *testing.T) {
	log := mixed(t)
	for n := 0; ; n++ {
		if n == 1000 {
			t.Fatal("it never succeeds")
		}
		done := false
		for kept := range 2 {
			random := rand.New(rand.NewPCG(uint64(n), uint64(kept)))
			keep := func() bool { return kept == 1 && random.IntN(2) == 0 }
			disk := newMemory()
			cuts, ends := 0, []uint64{1, 3}
			for disk.left = n; ; disk.left = random.IntN(n + 1) {
				err := landAll(t, parquet.Options{Log: log, Disk: disk}, ends...)
				if err == nil {
					break
				}
				if !errors.Is(err, errPower) {
					t.Fatalf("cut at operation %d, kept %d, then: %v", n, kept, err)
				}
				disk.cut(keep)
				if _, err := readAll(disk); err != nil {
					t.Fatalf("cut at operation %d, kept %d: %v", n, kept, err)
				}
				ends = []uint64{1 + random.Uint64N(4)} // the next lander would cut elsewhere
				if cuts++; cuts == 3 {
					disk.left = -1
					if err := landAll(t, parquet.Options{Log: log, Disk: disk}); err != nil {
						t.Fatalf("cut at operation %d, kept %d, then: %v", n, kept, err)
					}
					break
				}
			}
			disk.cut(func() bool { return false })
			checkMixed(t, disk)
			if t.Failed() {
				t.Fatalf("cut at operation %d, kept %d", n, kept)
			}
			done = cuts == 0
		}
		if done {
			t.Logf("%d operations", n)
			break
		}
	}
}
