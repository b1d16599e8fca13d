package collect

import (
	"testing"
	"time"
)

func TestAllowance(t *testing.T) {
	now := time.Unix(0, 0)
	a := allowance{every: time.Minute}
	takes := func(n int) (taken int) {
		for range n {
			if a.take(now) {
				taken++
			}
		}
		return taken
	}
	for _, step := range []struct {
		name string
		wait time.Duration
		want int
	}{
		{"at first", 0, urgentBurst},
		{"at once again", 0, 0},
		{"just before a minute", time.Minute - 1, 0},
		{"a minute", 1, 1},
		{"three minutes", 3 * time.Minute, 3},
		{"a day", 24 * time.Hour, urgentBurst},
	} {
		now = now.Add(step.wait)
		if got := takes(20); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}
