package haltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
)

// LineBench is a line that can be reached from both sides.
type LineBench struct {
	// Open opens the line.
	Open func() (hal.Line, error)
	// Move sets what the line says.
	Move func(active bool)
	// Remove takes the chip away, and is nil where that can't be done. It is the last thing that a test does.
	Remove func()
	// Quick is how soon a move is told of at the latest.
	Quick time.Duration
}

// TestLine checks that an implementation of hal.Line keeps the promises of the interface. open is called once for each.
func TestLine(t *testing.T, open func(t *testing.T) LineBench) {
	for _, promise := range []struct {
		name string
		test func(t *testing.T, b LineBench, l hal.Line)
	}{
		{"reads", testLineReads},
		{"tells of a move", testLineTells},
		{"tells of a move that was", testLineRemembers},
		{"moves count as one", testLineCountsOne},
		{"does not wait", testLineDoesNotWait},
		{"times out", testLineTimesOut},
		{"cancelled", testLineCancelled},
		{"closed while it waits", testLineClosed},
		{"opened again", testLineReopened},
		{"gone", testLineGone},
	} {
		t.Run(promise.name, func(t *testing.T) {
			b := open(t)
			b.Move(false)
			l, err := b.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			promise.test(t, b, l)
		})
	}
}

func testLineReads(t *testing.T, b LineBench, l hal.Line) {
	for _, want := range []bool{false, true, true, false} {
		b.Move(want)
		waitFor(t, l, b.Quick)
		if got, err := l.Read(); got != want || err != nil {
			t.Errorf("reads %v, %v, want %v", got, err, want)
		}
	}
}

func testLineTells(t *testing.T, b LineBench, l hal.Line) {
	waitFor(t, l, 0)
	time.AfterFunc(10*time.Millisecond, func() { b.Move(true) })
	if moved, err := l.Wait(t.Context(), b.Quick); !moved || err != nil {
		t.Errorf("got %v, %v, want a move", moved, err)
	}
}

func testLineRemembers(t *testing.T, b LineBench, l hal.Line) {
	waitFor(t, l, 0)
	b.Move(true)
	if moved, err := l.Wait(t.Context(), b.Quick); !moved || err != nil {
		t.Errorf("got %v, %v, want the move that was", moved, err)
	}
}

func testLineCountsOne(t *testing.T, b LineBench, l hal.Line) {
	for i := range 7 {
		b.Move(i%2 == 0)
	}
	waitFor(t, l, b.Quick)
	if moved, err := l.Wait(t.Context(), 0); moved || err != nil {
		t.Errorf("got %v, %v after a wait that took all moves", moved, err)
	}
}

func testLineDoesNotWait(t *testing.T, _ LineBench, l hal.Line) {
	waitFor(t, l, 0)
	started := time.Now()
	if moved, err := l.Wait(t.Context(), 0); moved || err != nil {
		t.Errorf("got %v, %v on a line at rest", moved, err)
	}
	if took := time.Since(started); took > 50*time.Millisecond {
		t.Errorf("a wait of 0 took %v", took)
	}
}

func testLineTimesOut(t *testing.T, _ LineBench, l hal.Line) {
	waitFor(t, l, 0)
	started := time.Now()
	moved, err := l.Wait(t.Context(), 60*time.Millisecond)
	if took := time.Since(started); moved || err != nil || took < 60*time.Millisecond {
		t.Errorf("got %v, %v after %v, want nothing after 60ms", moved, err, took)
	}
}

func testLineCancelled(t *testing.T, _ LineBench, l hal.Line) {
	waitFor(t, l, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	started := time.Now()
	moved, err := l.Wait(ctx, time.Hour)
	if took := time.Since(started); moved || err != nil || took > time.Minute {
		t.Errorf("got %v, %v after %v, want nothing when ctx ends", moved, err, took)
	}
	if _, err := l.Read(); err != nil {
		t.Errorf("after that it can't be read: %v", err)
	}
}

func testLineClosed(t *testing.T, _ LineBench, l hal.Line) {
	waitFor(t, l, 0)
	time.AfterFunc(10*time.Millisecond, func() { _ = l.Close() })
	if moved, err := l.Wait(t.Context(), time.Hour); moved || !errors.Is(err, hal.ErrGone) {
		t.Errorf("got %v, %v from a wait on a closed line, want %v", moved, err, hal.ErrGone)
	}
	if _, err := l.Read(); !errors.Is(err, hal.ErrGone) {
		t.Errorf("reads with %v when closed, want %v", err, hal.ErrGone)
	}
}

func testLineReopened(t *testing.T, b LineBench, l hal.Line) {
	for range 50 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if l, err = b.Open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func testLineGone(t *testing.T, b LineBench, l hal.Line) {
	if b.Remove == nil {
		t.Skip("the chip can't be taken away")
	}
	b.Remove()
	if _, err := l.Read(); !errors.Is(err, hal.ErrGone) {
		t.Errorf("reads with %v when the chip is gone, want %v", err, hal.ErrGone)
	}
	if again, err := b.Open(); !errors.Is(err, hal.ErrGone) {
		t.Errorf("opens %v, %v when the chip is gone, want %v", again, err, hal.ErrGone)
	}
}

// waitFor lets the line tell of its moves so far.
func waitFor(t *testing.T, l hal.Line, limit time.Duration) {
	t.Helper()
	if _, err := l.Wait(t.Context(), limit); err != nil {
		t.Fatal(err)
	}
}
