package parquet_test

import (
	"errors"
	"testing"

	"github.com/stampd/stampd/uplink/backend/land/parquet"
)

var errFault = errors.New("fault")

// faulty is a disk on which one operation fails.
type faulty struct {
	parquet.Disk
	left   int  // operations that succeed
	effect bool // the failing operation does its work all the same
	failed bool
	after  int // operations after the one that failed
}

// do does an operation, unless it is its turn to fail.
func (d *faulty) do(operation func() error) error {
	if d.failed {
		d.after++
		return errFault
	}
	if d.left--; d.left >= 0 {
		return operation()
	}
	d.failed = true
	if d.effect {
		_ = operation()
	}
	return errFault
}

func (d *faulty) Create(name string) (file parquet.File, err error) {
	err = d.do(func() error {
		file, err = d.Disk.Create(name)
		return err
	})
	if err != nil && file != nil {
		file.Close()
		file = nil
	}
	return &faultyFile{file, d}, err
}

func (d *faulty) ReadFile(name string) (contents []byte, err error) {
	err = d.do(func() error {
		contents, err = d.Disk.ReadFile(name)
		return err
	})
	return contents, err
}

func (d *faulty) Glob(pattern string) (names []string, err error) {
	err = d.do(func() error {
		names, err = d.Disk.Glob(pattern)
		return err
	})
	return names, err
}

func (d *faulty) Rename(from, to string) error {
	return d.do(func() error { return d.Disk.Rename(from, to) })
}
func (d *faulty) Remove(name string) error { return d.do(func() error { return d.Disk.Remove(name) }) }
func (d *faulty) Mkdir(name string) error  { return d.do(func() error { return d.Disk.Mkdir(name) }) }
func (d *faulty) SyncFolder(name string) error {
	return d.do(func() error { return d.Disk.SyncFolder(name) })
}

type faultyFile struct {
	parquet.File
	disk *faulty
}

// Write writes half when it is to fail with an effect.
func (f *faultyFile) Write(b []byte) (n int, err error) {
	err = f.disk.do(func() error {
		if f.disk.failed {
			b = b[:len(b)/2]
		}
		n, err = f.File.Write(b)
		return err
	})
	return n, err
}

func (f *faultyFile) Sync() error { return f.disk.do(f.File.Sync) }

// Close always closes the file, and can fail as everything else; after a failure it is no new attempt at anything.
func (f *faultyFile) Close() error {
	err := f.File.Close()
	if f.disk.failed {
		return err
	}
	return f.disk.do(func() error { return err })
}

// Operation 1 fails, then 2, then 3, until all succeed. Nothing is tried after a failure, and the next lander makes good.
func TestEveryOperationFails(t *testing.T) {
	log := mixed(t)
	for name, effect := range map[string]bool{"without effect": false, "after its effect": true} {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				if n == 1000 {
					t.Fatal("it never succeeds")
				}
				under := newMemory()
				disk := &faulty{Disk: under, left: n, effect: effect}
				err := landAll(t, parquet.Options{Log: log, Disk: disk}, 1, 3)
				if err == nil {
					if disk.failed {
						t.Fatalf("operation %d failed, and nobody was told", n)
					}
					t.Logf("%d operations", n)
					break
				}
				if !errors.Is(err, errFault) || disk.after > 0 {
					t.Fatalf("operation %d: %v, and %d operations after it", n, err, disk.after)
				}
				if _, err := readAll(under); err != nil {
					t.Fatalf("operation %d: %v", n, err)
				}
				if err := landAll(t, parquet.Options{Log: log, Disk: under}, 2); err != nil {
					t.Fatalf("after operation %d: %v", n, err)
				}
				checkMixed(t, under)
				if t.Failed() {
					t.Fatalf("after operation %d", n)
				}
			}
		})
	}
}

// A lander that failed does nothing more.
func TestFailedLanderStaysFailed(t *testing.T) {
	log := mixed(t)
	disk := &faulty{Disk: newMemory(), left: 30}
	l, err := parquet.Open(parquet.Options{Log: log, Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Land(t.Context(), 4); !errors.Is(err, errFault) {
		t.Fatalf("Land = %v", err)
	}
	_, again := l.Land(t.Context(), 4)
	_, resumed := l.Resume(t.Context())
	if !errors.Is(again, errFault) || !errors.Is(resumed, errFault) || disk.after > 0 || l.Offset() != 0 {
		t.Errorf("Land again = %v, Resume = %v, %d operations, offset %d", again, resumed, disk.after, l.Offset())
	}
}
