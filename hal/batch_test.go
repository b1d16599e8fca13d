package hal

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// timed is a read with a name that takes so long.
type timed struct {
	name  string
	takes time.Duration
}

// results returns work that does those reads, and says what became of each.
func results(reads []timed) func(do reader[string]) []string {
	return func(do reader[string]) (all []string) {
		for _, r := range reads {
			got, err := do(r.name, func() (string, error) {
				time.Sleep(r.takes)
				return r.name, nil
			})
			if errors.Is(err, ErrHung) {
				got = "hung"
			}
			all = append(all, got)
		}
		return all
	}
}

// Each read has its own limit, all of them have one together, and what hangs costs nobody else.
func TestBatch(t *testing.T) {
	const limit, most = time.Second, 3 * time.Second
	for _, test := range []struct {
		name  string
		reads []timed
		want  string
		takes time.Duration
	}{
		{"none", nil, "", 0},
		{"at once", []timed{{"a", 0}, {"b", 0}}, "a b", 0},
		{"twice the same", []timed{{"a", time.Second / 2}, {"a", time.Hour}}, "a a", time.Second / 2},
		{"all slow", []timed{{"a", time.Second - 1}, {"b", time.Second - 1}, {"c", time.Second - 1}}, "a b c", 3*time.Second - 3},
		{"one hangs", []timed{{"a", 0}, {"b", time.Hour}, {"c", 0}}, "a hung c", time.Second},
		{"one hangs late", []timed{{"a", time.Second / 2}, {"b", time.Hour}, {"c", time.Second / 2}}, "a hung c", 2 * time.Second},
		{"two hang", []timed{{"a", time.Hour}, {"b", 0}, {"c", time.Hour}, {"d", 0}}, "hung b hung d", 2 * time.Second},
		{"the same hangs twice", []timed{{"a", time.Hour}, {"a", 0}}, "hung hung", time.Second},
		{"too long in all", []timed{{"a", 900 * time.Millisecond}, {"b", 900 * time.Millisecond}, {"c", 900 * time.Millisecond},
			{"d", 900 * time.Millisecond}, {"e", 0}}, "a b c hung hung", most},
		{"all hang", []timed{{"a", time.Hour}, {"b", time.Hour}, {"c", time.Hour}, {"d", time.Hour}}, "hung hung hung hung", most},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, begun := newBounded[string](limit), time.Now()
				got, err := batch(t.Context(), b, most, results(test.reads))
				if took := time.Since(begun); err != nil || strings.Join(got, " ") != test.want || took != test.takes {
					t.Errorf("got %q (%v) after %v, want %q after %v", got, err, took, test.want, test.takes)
				}
				time.Sleep(2 * time.Hour) // until all are back
				if got, err := batch(t.Context(), b, most, results([]timed{{"a", 0}, {"b", 0}})); err != nil || !slices.Equal(got, []string{"a", "b"}) {
					t.Errorf("after that: %q (%v)", got, err)
				}
			})
		})
	}
}

// What hangs is not read again, however many batches want it, and costs them nothing.
func TestBatchHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, begun := newBounded[string](time.Second), time.Now()
		before := runtime.NumGoroutine()
		for range 100 {
			if got, err := batch(t.Context(), b, 3*time.Second, results([]timed{{"a", time.Hour}, {"b", 0}})); err != nil || got[1] != "b" {
				t.Fatalf("got %q (%v)", got, err)
			}
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("100 batches took %v, want the limit once", took)
		}
		synctest.Wait()
		if more := runtime.NumGoroutine() - before; more > 1 {
			t.Errorf("%d goroutines are left, want one", more)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A batch ends with its context, and nothing more is read for it.
func TestBatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, begun := newBounded[string](time.Second), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var read atomic.Int64
		_, err := batch(ctx, b, 3*time.Second, func(do reader[string]) string {
			for _, name := range []string{"a", "b", "c"} {
				_, _ = do(name, func() (string, error) { read.Add(1); time.Sleep(time.Minute); return "", nil })
			}
			return ""
		})
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 100*time.Millisecond {
			t.Errorf("it ended with %v after %v", err, took)
		}
		time.Sleep(time.Hour)
		if n := read.Load(); n != 1 {
			t.Errorf("%d reads were begun, want one", n)
		}
		if _, err := batch(ctx, b, time.Second, results(nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a batch without time ends with %v", err)
		}
	})
}

// A read that panics is an error of its own, and the next is read.
func TestBatchPanic(t *testing.T) {
	b := newBounded[string](time.Second)
	got, err := batch(t.Context(), b, time.Second, func(do reader[string]) string {
		_, err := do("a", func() (string, error) { panic("index out of range") })
		if !errors.Is(err, errPanicked) {
			t.Errorf("it is %v, want %v", err, errPanicked)
		}
		next, _ := do("b", func() (string, error) { return "b", nil })
		return next
	})
	if err != nil || got != "b" {
		t.Errorf("got %q and %v", got, err)
	}
}

// A fault in what makes something of reads ends nothing but that look.
func TestBatchSurvivesWork(t *testing.T) {
	b := newBounded[string](time.Second)
	_, err := batch(t.Context(), b, time.Minute, func(reader[string]) int { panic("of a parser") })
	if !errors.Is(err, errPanicked) {
		t.Errorf("batch: %v, want %v", err, errPanicked)
	}
	n, err := batch(t.Context(), b, time.Minute, func(reader[string]) int { return 1 })
	if n != 1 || err != nil {
		t.Errorf("batch after that: %d, %v, want 1", n, err)
	}
}
