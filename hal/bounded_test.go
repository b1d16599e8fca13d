package hal

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBoundedLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded[int](time.Second)
		for _, test := range []struct {
			name  string
			takes time.Duration
			want  error
		}{
			{"in no time", 0, nil},
			{"just in time", time.Second - 1, nil},
			{"too long", time.Second + 1, ErrHung},
		} {
			started := time.Now()
			n, err := b.do(t.Context(), test.name, func() (int, error) {
				time.Sleep(test.takes)
				return 7, nil
			})
			if !errors.Is(err, test.want) || err == nil && n != 7 {
				t.Errorf("%s: got %d and %v, want error %v", test.name, n, err, test.want)
			}
			if took := time.Since(started); took != min(test.takes, time.Second) {
				t.Errorf("%s: took %v", test.name, took)
			}
		}
		time.Sleep(time.Second) // until the last read is back
	})
}

// A hung read is not started again, and is asked for at no cost; once it came back, late, the next read is a new one.
func TestBoundedHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded[int](time.Second)
		started := 0
		read := func() (int, error) {
			started++
			if started == 1 {
				time.Sleep(time.Minute)
			}
			return started, nil
		}
		begin := time.Now()
		for range 100 {
			if _, err := b.do(t.Context(), "file", read); err != ErrHung {
				t.Fatalf("error is %v, want %v", err, ErrHung)
			}
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("100 hung reads took %v, want the limit once", took)
		}
		if n, err := b.do(t.Context(), "another file", func() (int, error) { return 5, nil }); n != 5 || err != nil {
			t.Errorf("another file: got %d and %v", n, err)
		}
		time.Sleep(time.Minute)
		if n, err := b.do(t.Context(), "file", read); n != 2 || err != nil {
			t.Errorf("after it came back: got %d and %v, want a second read", n, err)
		}
	})
}

// However many reads hang, there is an end to the goroutines that they cost, and all is read again when they are back.
func TestBoundedMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded[int](time.Second)
		var started atomic.Int32
		begin := time.Now()
		for i := range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := b.do(ctx, strconv.Itoa(i), func() (int, error) {
				started.Add(1)
				time.Sleep(time.Hour)
				return 0, nil
			})
			cancel()
			if i >= maxRunning && err != ErrHung {
				t.Fatalf("read %d: error is %v, want %v", i, err, ErrHung)
			}
		}
		if started.Load() != maxRunning || time.Since(begin) > time.Second {
			t.Errorf("%d reads were started within %v, want %d", started.Load(), time.Since(begin), maxRunning)
		}
		time.Sleep(time.Hour)
		if n, err := b.do(t.Context(), "new", func() (int, error) { return 3, nil }); n != 3 || err != nil {
			t.Errorf("after they came back: got %d and %v", n, err)
		}
	})
}

// Callers at the same time share one read, and its time.
func TestBoundedShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded[int](time.Second)
		started := 0
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				n, err := b.do(t.Context(), "file", func() (int, error) {
					started++
					time.Sleep(100 * time.Millisecond)
					return 9, nil
				})
				if n != 9 || err != nil {
					t.Errorf("got %d and %v", n, err)
				}
			})
		}
		wg.Wait()
		if started != 1 {
			t.Errorf("%d reads, want one", started)
		}
	})
}

func TestBoundedPanic(t *testing.T) {
	b := newBounded[int](time.Second)
	for range 2 {
		_, err := b.do(t.Context(), "file", func() (int, error) {
			var none []int
			return none[1], nil
		})
		if !errors.Is(err, errPanicked) {
			t.Errorf("error is %v, want %v", err, errPanicked)
		}
	}
}

func TestBoundedCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded[int](time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		begin := time.Now()
		_, err := b.do(ctx, "file", func() (int, error) {
			time.Sleep(30 * time.Minute)
			return 0, nil
		})
		if err != context.Canceled || time.Since(begin) != time.Minute {
			t.Errorf("error is %v after %v", err, time.Since(begin))
		}
		if _, err := b.do(ctx, "new file", func() (int, error) { panic("started") }); err != context.Canceled {
			t.Errorf("error after cancel is %v", err)
		}
		time.Sleep(time.Hour)
	})
}
