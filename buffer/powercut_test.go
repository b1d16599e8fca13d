package buffer_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampd/stampd/buffer/disktest"
)

// cut has the power fail now, and checks what is left. It returns the promise as it was found.
func (s *session) cut(t testing.TB, keep disktest.Keep, r *rand.Rand) *promise {
	p := s.promise.clone()
	image, err := os.MkdirTemp(filepath.Dir(s.root), "stampd-test-cut-")
	if err != nil {
		t.Error(err)
		return p
	}
	defer os.RemoveAll(image)
	if err := s.disk.Cut(image, keep, r); err != nil {
		t.Errorf("power can't be cut: %v", err)
	}
	p.audit(image+strings.TrimPrefix(s.dir, s.root), s.room)
	return p
}

// TestPowerCut cuts the power before each operation.
func TestPowerCut(t *testing.T) {
	keeps := []disktest.Keep{disktest.KeepNone, disktest.KeepAll, disktest.KeepPages, disktest.KeepSectors}
	results := newResults()
	everyScene(t, len(keeps), func(t *testing.T, x *terminal, c scene, i int) {
		s := c.stage(t, x)
		r := rand.New(rand.NewPCG(uint64(i), 0))
		c.play(s, func(op disktest.Op) disktest.Fault {
			if op.N%max(1, *every/2) != 0 {
				return disktest.Fault{}
			}
			p := s.cut(t, keeps[i], r)
			results.add("power cut, keeps "+keeps[i].String(), p)
			if err := p.verdict(); err != nil {
				t.Errorf("%s, power cut before %v, keeps %v: %v", c.name, op, keeps[i], err)
			}
			return disktest.Fault{}
		})
		s.check(t, "%s", c.name)
		s.clear()
	})
	results.log(t)
}

// TestLyingDiskIsNoticed shows that these tests can fail: on a disk that writes nothing when it is told to, they find
// acknowledged records lost.
func TestLyingDiskIsNoticed(t *testing.T) {
	results := newResults()
	everyScene(t, 1, func(t *testing.T, x *terminal, c scene, _ int) {
		s := c.stage(t, x)
		s.do(command{Do: begin})
		s.disk.Decide(func(op disktest.Op) disktest.Fault { return disktest.Fault{Believe: op.Kind == disktest.Sync} })
		c.run(s)
		s.do(command{Do: closeDown})
		results.add(c.name, s.cut(t, disktest.KeepNone, nil))
		s.do(command{Do: end})
		s.check(t, "%s", c.name)
		s.clear()
	})
	results.log(t)
	for name, r := range results.of {
		if r.lost == 0 {
			t.Errorf("%s: the disk wrote nothing, and nothing was found lost", name)
		}
	}
}

// TestFailedSyncIsNotBelieved has the nth sync fail, which leaves its pages clean and not on the medium, goes on, and cuts
// the power later: what was acknowledged after the failure is as safe as what was before.
func TestFailedSyncIsNotBelieved(t *testing.T) {
	results := newResults()
	everyScene(t, 1, func(t *testing.T, x *terminal, c scene, _ int) {
		for n := 1; ; n += max(1, *every/2) {
			f := fault{of: []disktest.Kind{disktest.Sync}, what: disktest.Fault{Errno: 5, Forget: n%3 == 0}}
			s := c.stage(t, x)
			s.causes = []string{"io"}
			r := rand.New(rand.NewPCG(uint64(n), 0))
			since, wrong := 0, 0
			s.after = func() {
				if s.disk.Faults() == 0 {
					return
				}
				if since++; since > 2 && since%5 != 0 {
					return
				}
				for _, keep := range []disktest.Keep{disktest.KeepNone, disktest.KeepSectors} {
					p := s.cut(t, keep, r)
					results.add("failed fsync, then power cut, keeps "+keep.String(), p)
					if err := p.verdict(); err != nil && wrong < 1 {
						wrong++
						t.Errorf("%s, fsync %d fails, power cut %d commands later, keeps %v: %v", c.name, n, since, keep, err)
					}
				}
			}
			c.play(s, f.at(n))
			s.check(t, "%s", c.name)
			s.clear()
			if s.disk.Faults() == 0 {
				break
			}
		}
	})
	results.log(t)
}
