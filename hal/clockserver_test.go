package hal

import (
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// The confidence that the backend gave must not outlive a step of the wall clock, and must come back with a new check.
func TestClockServerTimeAfterStep(t *testing.T) {
	b := bench{wall: day, boot: time.Minute}
	c := b.clock()
	expect := func(when string, want wire.ClockConfidence) {
		t.Helper()
		if got := c.Now().Confidence; got != want {
			t.Errorf("%s: confidence is %v, want %v", when, got, want)
		}
	}
	c.SetServerTime(b.wall, 0)
	b.pass(24 * time.Hour)
	expect("a day later", network)
	b.wall = b.wall.Add(time.Hour)
	expect("after somebody set the date an hour ahead", rtc)
	b.wall = b.wall.Add(-3 * time.Hour)
	expect("and three hours back", rtc)
	b.wall = b.wall.Add(2 * time.Hour)
	expect("after somebody set it right again", network)
	c.SetServerTime(b.wall.Add(time.Hour), 0)
	expect("after the backend no longer agreed", rtc)
	c.SetServerTime(b.wall, 0)
	expect("after it did again", network)
	b.sync = true
	expect("when NTP had it", ntp)
	b.pass(30 * 24 * time.Hour)
	b.sync = false
	expect("a month later, without another check", rtc)
}

// The clock of a terminal that starts in 1970 is set right in mid-run, by whoever: the backend's time is known meanwhile.
func TestClockSetRightInMidRun(t *testing.T) {
	b := bench{wall: time.Unix(10, 0), boot: 10 * time.Second}
	c := b.clock()
	if got := c.Now().Confidence; got != unset {
		t.Fatalf("confidence is %v at the start", got)
	}
	if !c.SetServerTime(day, 300*time.Millisecond) {
		t.Fatal("the backend's time is not believed")
	}
	if got := c.Now(); got.Confidence != unset || got.GetWallUnixMs() != 10_000 {
		t.Errorf("after the welcome: %v, want the wall clock as it is", got)
	}
	b.pass(time.Minute)
	now, within, ok := c.ServerTime()
	if want := day.Add(time.Minute + 150*time.Millisecond); !ok || !now.Equal(want) || within < 150*time.Millisecond || within > 160*time.Millisecond {
		t.Errorf("the backend's time is %v ± %v, %v; want %v", now, within, ok, want)
	}
	b.wall = now
	if got := c.Now().Confidence; got != network {
		t.Errorf("confidence is %v after the date was set, want NETWORK", got)
	}
}

// What the backend says is kept by how well it is known, and a time that can't be is not kept at all.
func TestClockKeepsTheBestServerTime(t *testing.T) {
	type answer struct {
		after  time.Duration // since the answer before
		off    time.Duration // the backend's time, from the true one
		took   time.Duration // of which the answer took none: the estimate is off by half of it
		refuse bool
	}
	const s, ms = time.Second, time.Millisecond
	for _, test := range []struct {
		name    string
		answers []answer
		off     time.Duration // of ServerTime, from the true one
		within  time.Duration
		unknown bool
	}{
		{name: "no answer", unknown: true},
		{name: "quick", answers: []answer{{took: 20 * ms}}, off: 10 * ms, within: 11 * ms},
		{name: "slow", answers: []answer{{took: 8 * s}}, off: 4 * s, within: 4001 * ms},
		{name: "slow after quick", answers: []answer{{took: 20 * ms}, {took: 8 * s}}, off: 10 * ms, within: 11 * ms},
		{name: "quick after slow", answers: []answer{{took: 8 * s}, {took: 20 * ms}}, off: 10 * ms, within: 11 * ms},
		{name: "slow a day after quick", answers: []answer{{took: 20 * ms}, {after: 24 * time.Hour, took: 10 * s}}, off: 5 * s, within: 5001 * ms},
		{name: "quick ages", answers: []answer{{took: 20 * ms}, {after: 10_000 * s, took: 8 * s}}, off: 10 * ms, within: 1011 * ms},
		{name: "contradiction", answers: []answer{{took: 20 * ms}, {took: 8 * s, off: time.Minute}}, off: time.Minute + 4*s, within: 4001 * ms},
		{name: "within both errors", answers: []answer{{took: 20 * ms}, {took: 8 * s, off: -3 * s}}, off: 10 * ms, within: 11 * ms},
		{name: "1970", answers: []answer{{took: 20 * ms}, {took: 0, off: -day.Sub(time.Unix(0, 0)), refuse: true}}, off: 10 * ms, within: 11 * ms},
		{name: "2100", answers: []answer{{took: 20 * ms}, {off: 74 * 365 * 24 * time.Hour, refuse: true}}, off: 10 * ms, within: 11 * ms},
		{name: "1970 first", answers: []answer{{off: -day.Sub(time.Unix(0, 0)), refuse: true}}, unknown: true},
		{name: "before it was asked", answers: []answer{{took: -1, refuse: true}}, unknown: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bench{wall: time.Unix(0, 0), boot: time.Hour}
			c, truth := b.clock(), day
			for i, a := range test.answers {
				b.pass(a.after)
				truth = truth.Add(a.after)
				if got := c.SetServerTime(truth.Add(a.off), a.took); got == a.refuse {
					t.Errorf("answer %d: believed %v", i, got)
				}
			}
			now, within, ok := c.ServerTime()
			if ok == test.unknown || ok && (now.Sub(truth) != test.off || within != test.within) {
				t.Errorf("the backend's time is off by %v ± %v, %v; want %v ± %v", now.Sub(truth), within, ok, test.off, test.within)
			}
		})
	}
}

// An answer so slow that it says nothing gives no confidence.
func TestClockSlowAnswer(t *testing.T) {
	for took, want := range map[time.Duration]wire.ClockConfidence{
		time.Second: network, 100 * time.Second: network, 121 * time.Second: rtc, time.Hour: rtc,
	} {
		b := bench{wall: day, boot: 2 * time.Hour}
		c := b.clock()
		c.SetServerTime(day.Add(-took/2), took)
		if got := c.Now().Confidence; got != want {
			t.Errorf("confidence after an answer that took %v is %v, want %v", took, got, want)
		}
	}
}
