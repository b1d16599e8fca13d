package uplink

import (
	"cmp"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// daysKept is how many days the calendar tells: today and the six before.
const daysKept = 7

// instant is a moment by both clocks.
type instant struct {
	date  string        // of the shop, as [time.DateOnly]; empty while nobody knows what day it is
	boot  time.Duration // since boot, suspend included
	known bool          // boot is
}

// dated is what was counted on one day.
type dated struct {
	date    string // empty while it is not known
	traffic traffic
	cost    int64 // bytes of telemetry that counted against the limit of the day
}

// calendar keeps what was counted by day of the shop.
//
// A day is a date on the wall: one on which the clocks are set forward has 23 hours. While nobody knows the date, a day is
// 24 hours; when the date becomes known, those days get the last dates up to it. When the clock is set, so that the date
// changes by more than the time that has passed allows, what this run has counted was counted under wrong dates, and moves
// with the clock. Nothing that was counted is ever dropped but for its age.
type calendar struct {
	before []dated // what an earlier run had counted, by date
	run    []dated // what this run has, the latest first

	begun time.Duration // when run[0] was begun, since boot
	last  time.Duration // when run[0] was looked at last, since boot
	full  bool          // what telemetry has next does not fit into today
	fresh bool          // a day has begun since the calendar was written
}

// today returns the day that it is now.
func (c *calendar) today(now instant) *dated {
	passed, told := now.boot-c.last, now.known
	c.last = now.boot
	if len(c.run) == 0 {
		c.begin(now)
		return &c.run[0]
	}
	current := &c.run[0]
	switch {
	case now.date == current.date && now.date != "":
	case now.date == "":
		if current.date != "" || told && now.boot-c.begun >= day {
			c.begin(now)
		}
	case current.date == "":
		c.name(now.date)
	case told && wasSet(current.date, now.date, passed):
		c.move(now, passed)
	default:
		c.begin(now)
	}
	return &c.run[0]
}

// begin begins a day.
func (c *calendar) begin(now instant) {
	c.run = slices.Insert(c.run, 0, dated{date: now.date})
	c.run = c.run[:min(len(c.run), daysKept)]
	c.begun, c.full, c.fresh = now.boot, false, true
}

// name gives the days without a date theirs, now that today's is known.
func (c *calendar) name(today string) {
	for i := range c.run {
		if c.run[i].date != "" {
			break
		}
		c.run[i].date = later(today, -i)
	}
	c.run = merged(c.run, nil, today)
}

// move gives the days of this run other dates after the clock was set. One that was set back over midnight, by a little,
// has only told the last of them wrong.
func (c *calendar) move(now instant, passed time.Duration) {
	by := between(c.run[0].date, now.date) - int(passed/day)
	if by == -1 {
		c.run[0].date = now.date
	} else {
		for i := range c.run {
			if c.run[i].date != "" {
				c.run[i].date = later(c.run[i].date, by)
			}
		}
	}
	c.run = merged(c.run, nil, now.date)
	if c.run[0].date != now.date {
		c.begin(now)
	}
}

// wasSet reports whether the date went from one to another by more than the time that has passed allows.
func wasSet(from, to string, passed time.Duration) bool {
	days := between(from, to)
	return days < 0 || days > int(passed/day)+1
}

// between returns how many days there are from one date to another.
func between(from, to string) int {
	f, _ := time.Parse(time.DateOnly, from)
	t, _ := time.Parse(time.DateOnly, to)
	return int(t.Sub(f) / day)
}

// later returns the date some days after another.
func later(date string, days int) string {
	t, _ := time.Parse(time.DateOnly, date)
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// merged returns the days of two lists by date, the latest first; those without a date come first of all. A day that is
// later than today was counted by a clock that was wrong, and is part of today. Empty means that nobody knows today.
func merged(a, b []dated, today string) []dated {
	var all []dated
	for _, d := range slices.Concat(a, b) {
		if today != "" && d.date > today {
			d.date = today
		}
		i := slices.IndexFunc(all, func(e dated) bool { return e.date == d.date && d.date != "" })
		if i < 0 {
			all = append(all, d)
			continue
		}
		all[i].traffic.add(d.traffic)
		all[i].cost += d.cost
	}
	slices.SortStableFunc(all, func(x, y dated) int {
		if x.date == "" || y.date == "" {
			return cmp.Compare(len(x.date), len(y.date))
		}
		return cmp.Compare(y.date, x.date)
	})
	return all
}

// all returns the days to tell, today first.
func (c *calendar) all(now instant) []dated {
	c.today(now)
	all := merged(c.run, c.before, now.date)
	if now.date != "" {
		first := later(now.date, 1-daysKept)
		all = slices.DeleteFunc(all, func(d dated) bool { return d.date < first })
	}
	return all[:min(len(all), daysKept)]
}

// cost returns what counted against today's limit.
func (c *calendar) cost(now instant) int64 { return c.all(now)[0].cost }

// untilNext returns how long a day whose date nobody knows still lasts.
func (c *calendar) untilNext(now instant) time.Duration { return c.begun + day - now.boot }

// messages returns the days to tell as the schema has them.
func (c *calendar) messages(now instant) []*wire.TrafficDay {
	var days []*wire.TrafficDay
	for _, d := range c.all(now) {
		days = append(days, &wire.TrafficDay{Date: d.date, Traffic: d.traffic.message(), TelemetryLimitBytes: uint64(d.cost)})
	}
	return days
}
