package hal

import (
	"slices"
	"testing"
	"time"
)

func TestClockSteps(t *testing.T) {
	const h, s = time.Hour, time.Second
	type reading struct{ pass, set time.Duration } // before it
	for _, test := range []struct {
		name     string
		readings []reading
		want     time.Duration // 0: none
	}{
		{name: "none", readings: []reading{{}, {pass: h}, {pass: 24 * h}}},
		{name: "two hours back", readings: []reading{{}, {pass: h, set: -2 * h}}, want: -2 * h},
		{name: "two hours ahead", readings: []reading{{}, {pass: h, set: 2 * h}}, want: 2 * h},
		{name: "from 1970", readings: []reading{{set: -day.Sub(time.Unix(0, 0))}, {set: day.Sub(time.Unix(0, 0))}}, want: day.Sub(time.Unix(0, 0))},
		{name: "smallest", readings: []reading{{}, {set: 2*s + 1e6}}, want: 2*s + 1e6},
		{name: "too small", readings: []reading{{}, {set: 2 * s}, {set: -2 * s}}},
		{name: "slewed for a day", readings: []reading{{}, {pass: 24 * h, set: 43 * s}}},
		{name: "more than a day's slew", readings: []reading{{}, {pass: 24 * h, set: 46 * s}}, want: 46 * s},
		{name: "before the first reading", readings: []reading{{set: -2 * h}}},
		{name: "nobody took the first", readings: []reading{{}, {set: h}, {set: h}, {pass: s}}, want: 2 * h},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bench{wall: day, boot: time.Hour}
			c := b.clock()
			for _, r := range test.readings {
				b.pass(r.pass)
				b.wall = b.wall.Add(r.set)
				c.Now()
			}
			var got []time.Duration
			for len(c.steps) > 0 {
				got = append(got, <-c.Steps())
			}
			var want []time.Duration
			if test.want != 0 {
				want = []time.Duration{test.want}
			}
			if !slices.Equal(got, want) {
				t.Errorf("steps %v, want %v", got, want)
			}
		})
	}
}
