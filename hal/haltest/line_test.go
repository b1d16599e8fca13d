package haltest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
)

func TestSwitchConformance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the waits
		s := haltest.NewSwitch(false)
		l, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if moved, err := l.Wait(t.Context(), time.Hour); moved || err != nil || time.Since(started) != time.Hour {
			t.Errorf("got %v, %v after %v", moved, err, time.Since(started))
		}
		if err := l.Close(); err != nil || s.Opened() != 0 {
			t.Errorf("closed with %v, %d lines open", err, s.Opened())
		}
	})
	haltest.TestLine(t, func(*testing.T) haltest.LineBench {
		s := haltest.NewSwitch(false)
		return haltest.LineBench{Open: s.Open, Move: s.Move, Remove: func() { s.Fail(hal.ErrGone) }, Quick: time.Second}
	})
}
