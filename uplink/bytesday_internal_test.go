package uplink

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// wall is a terminal's clocks, as a test sets them.
type wall struct {
	time  time.Time
	known bool
	boot  time.Duration
}

func (w *wall) now() instant {
	i := instant{boot: w.boot, known: true}
	if w.known {
		i.wall = w.time
	}
	return i
}

func (w *wall) pass(d time.Duration) {
	w.time, w.boot = w.time.Add(d), w.boot+d
}

// told writes days as "2026-05-01 7, 2026-04-30 3", with the bytes received on each.
func told(days []dated) string {
	var parts []string
	for _, d := range days {
		date := d.date
		if date == "" {
			date = "?"
		}
		parts = append(parts, fmt.Sprintf("%s %d", date, d.traffic.received))
	}
	return strings.Join(parts, ", ")
}

func TestDays(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, zone)
	}
	type step struct {
		pass  time.Duration
		clock time.Time // the clock is set to it, after the time has passed
		lost  bool      // nobody knows what time it is any more
		bytes uint64
	}
	earlier := []dated{{date: "2026-05-01", traffic: traffic{received: 100}}, {date: "2026-04-28", traffic: traffic{received: 200}}}
	for _, test := range []struct {
		name   string
		begin  time.Time // zero: not known
		before []dated
		steps  []step
		want   string
	}{
		{"one day", at(5, 1, 8, 0), nil, []step{{bytes: 1}, {pass: 15 * time.Hour, bytes: 2}}, "2026-05-01 3"},
		{"over midnight", at(5, 1, 23, 59), nil, []step{{bytes: 1}, {pass: time.Minute, bytes: 2}}, "2026-05-02 2, 2026-05-01 1"},
		{"a day without any", at(5, 1, 8, 0), nil, []step{{bytes: 1}, {pass: 48 * time.Hour, bytes: 2}}, "2026-05-03 2, 2026-05-01 1"},
		{"asleep over a weekend", at(5, 1, 18, 0), nil, []step{{bytes: 1}, {pass: 63 * time.Hour, bytes: 2}}, "2026-05-04 2, 2026-05-01 1"},
		{"nine days", at(5, 1, 8, 0), nil, []step{
			{bytes: 1}, {pass: 24 * time.Hour, bytes: 2}, {pass: 24 * time.Hour, bytes: 3}, {pass: 24 * time.Hour, bytes: 4},
			{pass: 24 * time.Hour, bytes: 5}, {pass: 24 * time.Hour, bytes: 6}, {pass: 24 * time.Hour, bytes: 7},
			{pass: 24 * time.Hour, bytes: 8}, {pass: 24 * time.Hour, bytes: 9},
		}, "2026-05-09 9, 2026-05-08 8, 2026-05-07 7, 2026-05-06 6, 2026-05-05 5, 2026-05-04 4, 2026-05-03 3"},
		{"23 hours, to summer time", at(3, 29, 0, 30), nil, []step{{bytes: 1}, {pass: 22 * time.Hour, bytes: 2}, {pass: time.Hour, bytes: 4}},
			"2026-03-30 4, 2026-03-29 3"},
		{"25 hours, from summer time", at(10, 25, 0, 30), nil, []step{{bytes: 1}, {pass: 24 * time.Hour, bytes: 2}, {pass: time.Hour, bytes: 4}},
			"2026-10-26 4, 2026-10-25 3"},
		{"from 1970", time.Time{}, nil, []step{{bytes: 1}, {pass: time.Minute, clock: at(5, 1, 8, 0), bytes: 2}}, "2026-05-01 3"},
		{"from 1970 after days", time.Time{}, nil, []step{
			{bytes: 1}, {pass: 30 * time.Hour, bytes: 2}, {pass: 30 * time.Hour, bytes: 4}, {pass: time.Minute, clock: at(5, 1, 8, 0), bytes: 8},
		}, "2026-05-01 12, 2026-04-30 2, 2026-04-29 1"},
		{"never known", time.Time{}, nil, []step{{bytes: 1}, {pass: 23 * time.Hour, bytes: 2}, {pass: time.Hour, bytes: 4}}, "? 4, ? 3"},
		{"from 1970, after a restart on the same day", time.Time{}, earlier, []step{{bytes: 1}, {clock: at(5, 1, 8, 0), bytes: 2}},
			"2026-05-01 103, 2026-04-28 200"},
		{"unknown, after a restart", time.Time{}, earlier, []step{{bytes: 1}}, "? 1, 2026-05-01 100, 2026-04-28 200"},
		{"a restart on the next day", at(5, 2, 8, 0), earlier, []step{{bytes: 1}}, "2026-05-02 1, 2026-05-01 100, 2026-04-28 200"},
		{"a restart after long", at(5, 5, 8, 0), earlier, []step{{bytes: 1}}, "2026-05-05 1, 2026-05-01 100"},
		{"a restart with a clock that is behind", at(4, 29, 8, 0), earlier, []step{{bytes: 1}}, "2026-04-29 101, 2026-04-28 200"},
		{"set forward by months", at(1, 2, 8, 0), nil, []step{{bytes: 1}, {pass: 24 * time.Hour, bytes: 2}, {clock: at(5, 1, 8, 0), bytes: 4}},
			"2026-05-01 6, 2026-04-30 1"},
		{"set back by months", at(12, 2, 8, 0), nil, []step{{bytes: 1}, {pass: 24 * time.Hour, bytes: 2}, {clock: at(5, 1, 8, 0), bytes: 4}},
			"2026-05-01 6, 2026-04-30 1"},
		{"set back over midnight", at(5, 1, 23, 0), nil, []step{{bytes: 1}, {pass: time.Hour, bytes: 2}, {clock: at(5, 1, 23, 59), bytes: 4}},
			"2026-05-01 7"},
		{"set forward, wrongly, and back", at(5, 1, 8, 0), nil, []step{
			{bytes: 1}, {pass: 24 * time.Hour, bytes: 2}, {clock: at(9, 1, 8, 0), bytes: 4}, {clock: at(5, 2, 9, 0), bytes: 8},
		}, "2026-05-02 14, 2026-05-01 1"},
		{"lost and found", at(5, 1, 8, 0), nil, []step{{bytes: 1}, {lost: true, bytes: 2}, {clock: at(5, 1, 9, 0), bytes: 4}}, "2026-05-01 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wall{time: test.begin, known: !test.begin.IsZero(), boot: time.Hour}
			m := &meter{now: w.now}
			m.calendar.before = test.before
			for _, s := range test.steps {
				w.pass(s.pass)
				if !s.clock.IsZero() {
					w.time, w.known = s.clock, true
				}
				if s.lost {
					w.known = false
				}
				m.book(traffic{received: s.bytes})
			}
			if got := told(m.calendar.all(w.now())); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Whatever the clocks do, today is the first day, no day is there twice, and nothing is lost but what is too old.
func TestDaysOfAnyClock(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := &wall{time: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), known: rng.IntN(2) == 0}
		m := &meter{now: w.now}
		for day := range rng.IntN(3) {
			m.calendar.before = append(m.calendar.before, dated{date: later("2026-05-03", -day), traffic: traffic{received: 1 << 40}})
		}
		var booked uint64
		steady := rng.IntN(2) == 0 // the clock is set by less than an hour, and the days of the test are few
		for range rng.IntN(40) {
			w.pass(time.Duration(rng.Int64N(int64(4 * time.Hour))))
			switch rng.IntN(6) {
			case 0:
				if !steady {
					w.time = w.time.Add(time.Duration(rng.Int64N(int64(2000*time.Hour))) - 1000*time.Hour)
				}
			case 1:
				w.time = w.time.Add(time.Duration(rng.Int64N(int64(2*time.Hour))) - time.Hour)
			case 2:
				w.known = rng.IntN(4) > 0
			}
			n := rng.Uint64N(1000)
			booked += n
			m.book(traffic{received: n})
		}
		all := m.calendar.all(w.now())
		if all[0].date != w.now().date() || len(all) > daysKept {
			t.Fatalf("seed %d: it is %q, and the days are %s", seed, w.now().date(), told(all))
		}
		var sum uint64
		seen := map[string]bool{}
		for i, d := range all {
			sum += d.traffic.received % (1 << 40)
			if d.date != "" && seen[d.date] || i > 0 && all[i-1].date != "" && d.date >= all[i-1].date {
				t.Fatalf("seed %d: the days are %s", seed, told(all))
			}
			seen[d.date] = true
		}
		if m.total.received != booked || sum > booked || steady && len(all) < daysKept && sum != booked {
			t.Fatalf("seed %d: %d bytes were booked, the days have %d: %s", seed, booked, sum, told(all))
		}
	}
}

// The limit of a day is that of the day on which it was spent, over a restart too.
func TestCostByDay(t *testing.T) {
	w := &wall{time: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), known: true}
	c := calendar{before: []dated{{date: "2026-05-01", cost: 1000}}}
	c.today(w.now()).cost += 500
	if got := c.cost(w.now()); got != 1500 {
		t.Errorf("after a restart %d bytes are spent, want 1500", got)
	}
	c.full = true
	w.pass(16 * time.Hour)
	if got := c.cost(w.now()); got != 0 || c.full {
		t.Errorf("on the next day %d bytes are spent, full %v", got, c.full)
	}
}
