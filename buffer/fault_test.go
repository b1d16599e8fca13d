package buffer_test

import (
	"flag"
	"slices"
	"syscall"
	"testing"

	"github.com/stampd/stampd/buffer/disktest"
)

// fault is one way in which a disk fails.
type fault struct {
	name   string
	of     []disktest.Kind // the operations it can happen to; empty is all
	what   disktest.Fault
	then   disktest.Fault // what becomes of the operation after it
	sticky bool           // every such operation fails from then on, until the cause goes
	rare   bool           // a few of the operations are enough: another fault takes the same ways
	cause  string         // what the queue says
}

// every is the stride of tests that try one operation after the other.
var every = flag.Int("every", 31, "how far the operations that fail are from one another; 1 tries all")

// stride returns how far the operations that fail are from one another.
func (f fault) stride() int {
	if f.rare {
		return max(7, *every)
	}
	return *every
}

func (f fault) hits(op disktest.Op) bool { return len(f.of) == 0 || slices.Contains(f.of, op.Kind) }

// at returns what makes the nth operation of the kind fail.
func (f fault) at(n int) func(disktest.Op) disktest.Fault {
	seen, struck := 0, 0
	return func(op disktest.Op) disktest.Fault {
		if struck == 1 && f.then != (disktest.Fault{}) {
			struck++
			return f.then
		}
		if !f.hits(op) {
			return disktest.Fault{}
		}
		seen++
		if seen == n || f.sticky && seen > n {
			struck++
			return f.what
		}
		return disktest.Fault{}
	}
}

func faults() []fault {
	var all []fault
	for _, e := range []struct {
		errno syscall.Errno
		name  string
		cause string
	}{
		{syscall.EIO, "EIO", "io"}, {syscall.ENOSPC, "ENOSPC", "full"}, {syscall.EDQUOT, "EDQUOT", "full"}, {syscall.EROFS, "EROFS", "read-only"},
	} {
		f := fault{name: e.name, rare: e.errno == syscall.EDQUOT || e.errno == syscall.EROFS, what: disktest.Fault{Errno: e.errno}, cause: e.cause}
		all = append(all, f)
		f.name, f.sticky = e.name+" for a while", true
		all = append(all, f)
	}
	failed := disktest.Fault{Errno: syscall.EIO}
	forgotten := disktest.Fault{Errno: syscall.EIO, Forget: true}
	full := disktest.Fault{Errno: syscall.ENOSPC}
	return append(all,
		fault{name: "short write, then ENOSPC", of: []disktest.Kind{disktest.Write}, what: disktest.Fault{Short: true}, then: full, cause: "full"},
		fault{name: "short write", of: []disktest.Kind{disktest.Write}, what: disktest.Fault{Short: true}, cause: "io"},
		fault{name: "fsync fails", of: []disktest.Kind{disktest.Sync}, what: failed, cause: "io"},
		fault{name: "fsync fails for a while", of: []disktest.Kind{disktest.Sync}, what: failed, sticky: true, cause: "io"},
		fault{name: "fsync fails and drops pages", of: []disktest.Kind{disktest.Sync}, what: forgotten, cause: "io"},
		fault{name: "kill -9 before", what: disktest.Fault{Kill: disktest.Before}},
		fault{name: "kill -9 after", rare: true, what: disktest.Fault{Kill: disktest.After}},
	)
}

// TestEveryOperationFails has operation 1, 2, 3 … fail until none does any more, in every way.
func TestEveryOperationFails(t *testing.T) {
	all, results := faults(), newResults()
	everyScene(t, len(all), func(t *testing.T, x *terminal, c scene, i int) {
		f, wrong := all[i], 0
		for n := 1; ; n += f.stride() {
			s := c.stage(t, x)
			s.causes = []string{f.cause}
			fail := f.at(n)
			c.play(s, func(op disktest.Op) disktest.Fault {
				what := fail(op)
				if what != (disktest.Fault{}) && (op.Kind != disktest.Write && op.Kind != disktest.Create || f.sticky || what.Short) {
					s.unsure.Store(true)
				}
				return what
			})
			if f.what.Kill != disktest.Never && s.dead != nil {
				s.dead = x.restart()
			}
			s.promise.audit(s.dir, s.room)
			results.add(f.name, s.promise)
			s.quiet = wrong >= 3
			if !s.check(t, "%s, %s at operation %d", c.name, f.name, n) {
				wrong++
			}
			s.clear()
			if s.disk.Faults() == 0 {
				break
			}
		}
	})
	results.log(t)
}
