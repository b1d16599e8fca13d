package buffer_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/buffer/disktest"
)

var (
	seed  = flag.Uint64("seed", 0, "the one life that TestRandomLives goes through; 0 is as many as there is time for")
	lives = flag.Duration("lives", 3*time.Second, "how long TestRandomLives goes on")
)

// life is a queue to which anything happens, by chance. The promise is its model.
type life struct {
	*session
	t     *testing.T
	r     *rand.Rand
	step  int
	past  []string // what was done, for whoever has to understand a failure
	image string   // what a power cut has left, which the next process finds
}

// TestRandomLives does operations at random to a queue whose disk fails, whose process is killed and whose power is cut
// at random, and checks every answer against the model. A failure names its seed: go test -run RandomLives -seed N.
func TestRandomLives(t *testing.T) {
	results := newResults()
	if *seed != 0 {
		x := startTerminal(t)
		defer x.kill()
		live(t, x, *seed, results)
		results.log(t)
		return
	}
	first := uint64(time.Now().UnixNano()) % 1e9
	var next atomic.Uint64
	next.Store(first)
	until := time.Now().Add(*lives)
	var wg sync.WaitGroup
	for range workers() {
		x := startTerminal(t)
		wg.Go(func() {
			defer func() { x.kill() }()
			for time.Now().Before(until) && !t.Failed() {
				live(t, x, next.Add(1), results)
			}
		})
	}
	wg.Wait()
	results.log(t)
}

// live goes through one life.
func live(t *testing.T, x *terminal, seed uint64, results *results) {
	l := &life{session: newSession(t, x, newPromise(), some), t: t, r: rand.New(rand.NewPCG(seed, 1))}
	l.mount(t)
	l.causes = []string{"io", "full", "read-only"}
	l.do(command{Do: begin})
	l.open()
	for l.step = range 40 + l.r.IntN(60) {
		l.next()
		if l.dead != nil {
			l.revive()
		}
	}
	l.disk.Decide(nil)
	l.pass(2 * time.Second)
	l.close()
	l.do(command{Do: end})
	if l.dead != nil && l.disk.Faults() > 0 {
		l.revive()
		l.close()
		l.do(command{Do: end})
	}
	l.promise.audit(l.dir, l.room)
	results.add("random lives", l.promise)
	if !l.check(t, "seed %d", seed) {
		t.Logf("seed %d:\n%s", seed, strings.Join(l.past, "\n"))
	}
	l.clear()
}

// next does one thing.
func (l *life) next() {
	switch n := l.r.IntN(100); {
	case n < 40:
		l.sellSome()
	case n < 55:
		l.do(command{Do: measure, N: 1 + l.r.IntN(8), Pad: l.r.IntN(20_000)})
	case n < 62:
		l.pass([]time.Duration{time.Millisecond, 5 * time.Second, 2 * time.Minute}[l.r.IntN(3)])
	case n < 76:
		l.ackSome()
	case n < 79:
		l.falseAck(l.r.Uint64N(5))
	case n < 84:
		l.read()
	case n < 88:
		l.close()
		l.open()
	default:
		l.fail()
	}
}

// do does c, and notes it.
func (l *life) do(c command) outcome {
	l.past = append(l.past, fmt.Sprintf("%3d %s %v", l.step, c.Do, c))
	o := l.session.do(c)
	l.past[len(l.past)-1] += fmt.Sprintf(" → %s %s %v %v", o.Cause, o.Fault, o.Seqs, o.Lanes)
	return o
}

func (l *life) open()                { l.do(command{Do: openQueue, Dir: l.dir, Room: l.room}) }
func (l *life) close()               { l.do(command{Do: closeDown}) }
func (l *life) pass(d time.Duration) { l.do(command{Do: pass, For: d}) }

// sellSome makes new sales and old ones again, some of them with another body, all at once.
func (l *life) sellSome() {
	sales := l.fresh(1+l.r.IntN(5), l.r.IntN(3000))
	for i := range sales {
		sales[i].Keep = l.r.IntN(3) == 0
		if l.r.IntN(3) > 0 || l.sales == len(sales) {
			continue
		}
		sales[i].Key = fmt.Sprintf("pay-%d", 1+l.r.IntN(l.sales))
		if before, there := l.promise.anyBody(sales[i].Key); there {
			sales[i] = before
		}
		if l.r.IntN(4) == 0 {
			sales[i].Body = "b"
		}
	}
	l.do(command{Do: sell, Sales: sales})
}

// anyBody returns a sale that was asked for under a key.
func (p *promise) anyBody(key string) (sale, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.sales[key]; k != nil {
		for _, body := range []string{"a", "b"} {
			if a, there := k.bodies[body]; there {
				return a.sale, true
			}
		}
	}
	return sale{}, false
}

// ackSome has the backend take a part of a lane, and refuse a record or two of it.
func (l *life) ackSome() {
	if len(l.last.Lanes) == 0 {
		return
	}
	of := l.last.Lanes[l.r.IntN(len(l.last.Lanes))]
	told := l.promise.toldOf(of.LaneID)
	if of.Lane == buffer.Ledger && of.Next == 1 || told+1 >= of.Next {
		return
	}
	c := command{Do: ack, Lane: of.LaneID, Through: told + 1 + l.r.Uint64N(of.Next-1-told)}
	if of.Lane == buffer.Ledger && l.r.IntN(4) == 0 {
		c.Rejects = []uint64{told + 1 + l.r.Uint64N(c.Through-told)}
	}
	l.do(c)
}

func (p *promise) toldOf(id buffer.LaneID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[id]
}

// fail has something go wrong soon, and for how long, or has it end.
func (l *life) fail() {
	wait, long := 1+l.r.IntN(12), 1+l.r.IntN(6)*l.r.IntN(2)
	what := []disktest.Fault{
		{Kill: disktest.Before}, {Kill: disktest.After}, {Errno: syscall.EIO}, {Errno: syscall.ENOSPC}, {Errno: syscall.EROFS},
		{Errno: syscall.EIO, Forget: true}, {Short: true}, {Kill: disktest.Before},
	}
	n := l.r.IntN(len(what))
	keep := disktest.Keep(l.r.IntN(4))
	dice := rand.New(rand.NewPCG(l.r.Uint64(), 2))
	l.past = append(l.past, fmt.Sprintf("%3d in %d operations, for %d: %+v (%d)", l.step, wait, long, what[n], n))
	seen := 0
	l.disk.Decide(func(op disktest.Op) disktest.Fault {
		if seen++; seen < wait || seen >= wait+long {
			return disktest.Fault{}
		}
		if n == len(what)-1 { // the power is cut
			if image, err := newMemoryDir(); err != nil || l.disk.Cut(image, keep, dice) != nil {
				l.t.Error("power can't be cut")
			} else {
				l.image = image
			}
		}
		return what[n]
	})
}

// revive starts a new process on what the one before has left.
func (l *life) revive() {
	if l.disk.Faults() == 0 {
		return // it ended by itself
	}
	if l.dead = l.terminal.restart(); l.dead != nil {
		return
	}
	if l.image != "" {
		os.RemoveAll(l.root)
		l.root, l.dir, l.image = l.image, l.image, ""
	}
	l.past = append(l.past, fmt.Sprintf("%3d a new process in %s", l.step, l.root))
	l.mount(l.t)
	l.do(command{Do: begin})
	l.open()
	for _, of := range slices.Clone(l.last.Lanes) {
		l.do(command{Do: read, Lane: of.LaneID})
	}
}
