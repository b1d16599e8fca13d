package group_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/buffer/group"
)

func TestLoneCallerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group.New(func([]int) error { return nil })
		start := time.Now()
		for range 10 {
			if err := g.Do(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("ten lone calls took %v of pure waiting, want none", waited)
		}
	})
}

func TestWhatArrivesDuringACommitSharesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		g := group.New(func(batch []int) error {
			sizes = append(sizes, len(batch))
			time.Sleep(time.Second)
			return nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { _ = g.Do(t.Context(), 0) })
		synctest.Wait()
		for i := range 20 {
			wg.Go(func() { _ = g.Do(t.Context(), i) })
		}
		wg.Wait()
		if len(sizes) != 2 || sizes[0] != 1 || sizes[1] != 20 {
			t.Errorf("commits of %v items, want [1 20]", sizes)
		}
	})
}

func TestErrorReachesEveryCallerOfItsBatchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		commits := 0
		g := group.New(func([]int) error {
			commits++
			time.Sleep(time.Second)
			if commits == 2 {
				return broken
			}
			return nil
		})
		var wg sync.WaitGroup
		var failed atomic.Int32
		call := func() {
			if errors.Is(g.Do(t.Context(), 0), broken) {
				failed.Add(1)
			}
		}
		wg.Go(call)
		synctest.Wait()
		wg.Go(call)
		wg.Go(call)
		time.Sleep(1500 * time.Millisecond)
		wg.Go(call)
		wg.Wait()
		if failed.Load() != 2 {
			t.Errorf("%d callers failed, want the 2 of the second batch", failed.Load())
		}
	})
}

func TestWaitingCallerLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group.New(func([]int) error { time.Sleep(time.Minute); return nil })
		var wg sync.WaitGroup
		wg.Go(func() { _ = g.Do(t.Context(), 0) })
		synctest.Wait()
		wg.Go(func() { _ = g.Do(t.Context(), 0) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Do(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want deadline exceeded", err)
		}
		wg.Wait()
	})
}

func TestEveryItemIsCommittedOnce(t *testing.T) {
	seen := map[int]int{}
	g := group.New(func(batch []int) error {
		for _, i := range batch {
			seen[i]++
		}
		return nil
	})
	var wg sync.WaitGroup
	for i := range 5000 {
		wg.Go(func() { _ = g.Do(t.Context(), i) })
	}
	wg.Wait()
	for i := range 5000 {
		if seen[i] != 1 {
			t.Fatalf("item %d was committed %d times", i, seen[i])
		}
	}
}

func TestPanicIsNeverTakenForSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group.New(func(batch []int) error {
			time.Sleep(time.Second)
			if len(batch) == 2 {
				panic("broken")
			}
			return nil
		})
		var wg sync.WaitGroup
		var aborted, panicked atomic.Int32
		call := func() {
			defer func() {
				if recover() != nil {
					panicked.Add(1)
				}
			}()
			if errors.Is(g.Do(t.Context(), 0), group.ErrAborted) {
				aborted.Add(1)
			}
		}
		wg.Go(call)
		synctest.Wait()
		wg.Go(call)
		wg.Go(call)
		wg.Wait()
		if panicked.Load() != 1 || aborted.Load() != 1 {
			t.Errorf("%d panicked and %d were told, want one each", panicked.Load(), aborted.Load())
		}
		if err := g.Do(t.Context(), 0); err != nil {
			t.Errorf("after a panic: %v, want the next call to be served", err)
		}
	})
}
