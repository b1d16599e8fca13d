package buffer_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer/disktest"
)

// scene is a script with what it begins with.
type scene struct {
	script
	dir     string
	promise *promise
}

// scenes prepares every script.
func scenes(t *testing.T) []scene {
	t.Helper()
	var all []scene
	for _, s := range scripts() {
		c := scene{script: s, dir: memoryDir(t), promise: newPromise()}
		if s.prepare != nil {
			s.prepare(t, c.dir, s.room, c.promise)
		}
		all = append(all, c)
	}
	return all
}

// workers is how many terminals fail at the same time.
func workers() int { return max(2, runtime.GOMAXPROCS(0)) }

// everyScene plays every scene n times, on several terminals at the same time.
func everyScene(t *testing.T, n int, play func(t *testing.T, x *terminal, c scene, i int)) {
	t.Helper()
	all := scenes(t)
	jobs := make(chan func(*terminal))
	var wg sync.WaitGroup
	for range workers() {
		x := startTerminal(t)
		wg.Go(func() {
			for j := range jobs {
				j(x)
			}
			x.kill()
		})
	}
	for i := range n {
		for _, c := range all {
			jobs <- func(x *terminal) { play(t, x, c, i) }
		}
	}
	close(jobs)
	wg.Wait()
}

// stage sets a scene up on a terminal.
func (c scene) stage(t *testing.T, x *terminal) *session {
	t.Helper()
	s := newSession(t, x, c.promise.clone(), c.room)
	if err := os.CopyFS(s.root, os.DirFS(c.dir)); err != nil {
		t.Error(err)
	}
	s.mount(t)
	return s
}

// play goes through the script with a fault, has the cause go, and checks that the same process takes sales again.
func (c scene) play(s *session, decide func(disktest.Op) disktest.Fault) {
	s.do(command{Do: begin})
	s.disk.Decide(decide)
	c.run(s)
	s.disk.Decide(nil)
	c.recover(s)
}

// recover checks that a queue takes sales again when nothing fails any more, and closes it.
func (c scene) recover(s *session) {
	s.pass(2 * time.Second)
	s.causes = nil
	s.unsure.Store(false)
	if c.room == little {
		s.acknowledge(s.ledger(), 0)
	}
	s.sell(1)
	s.measure(1)
	s.close()
	s.do(command{Do: end})
}

// memoryDir returns a directory in memory, if there is one: no real disk has a part in what these tests test.
func memoryDir(tb testing.TB) string {
	tb.Helper()
	dir, err := newMemoryDir()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newMemoryDir() (string, error) {
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "stampd-test-")
	if err != nil {
		return "", fmt.Errorf("cannot make a directory: %w", err)
	}
	return dir, nil
}
