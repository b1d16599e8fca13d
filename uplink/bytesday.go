package uplink

import (
	"math"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// daysKept is how many days the calendar tells: today and the six before.
const daysKept = 7

// instant is a moment by both clocks.
type instant struct {
	wall  time.Time     // in the zone of the shop; zero while nobody knows what time it is
	boot  time.Duration // since boot, suspend included
	known bool          // boot is
}

// date returns the date of the shop, or nothing while nobody knows it.
func (i instant) date() string {
	if i.wall.IsZero() {
		return ""
	}
	return i.wall.Format(time.DateOnly)
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
// 24 hours; when the date becomes known, those days get the last dates up to it. When the clock is set by half a day or
// more, this run has counted under wrong dates, and its days move with the clock. Nothing that was counted is ever dropped
// but for its age.
type calendar struct {
	before []dated // what an earlier run had counted, by date
	run    []dated // what this run has, the latest first

	begun time.Duration // when run[0] was begun, since boot
	last  instant       // when it was looked at last
	full  bool          // what telemetry has next does not fit into today
	fresh bool          // a day has begun since the calendar was written
}

// today returns the day that it is now.
func (c *calendar) today(now instant) *dated {
	if len(c.run) == 0 {
		c.begin(now)
	}
	if now.known && c.last.known && !now.wall.IsZero() && !c.last.wall.IsZero() {
		c.move(now.wall.Sub(c.last.wall) - (now.boot - c.last.boot))
	}
	c.last = now
	switch date, current := now.date(), c.run[0].date; {
	case date == "":
		if current != "" || now.known && now.boot-c.begun >= day {
			c.begin(now)
		}
	case current == "":
		c.name(date)
	case date < current: // the clock was set back over midnight, by a little
		c.run[0].date = date
	case date > current:
		c.begin(now)
	}
	if date := now.date(); date != "" {
		c.run = merged(c.run, nil, date)
	}
	return &c.run[0]
}

// begin begins a day.
func (c *calendar) begin(now instant) {
	c.run = append([]dated{{date: now.date()}}, c.run[:min(len(c.run), daysKept-1)]...)
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
}

// move gives the days of this run other dates, after the clock was set by so much.
func (c *calendar) move(by time.Duration) {
	days := int(math.Round(float64(by) / float64(day)))
	for i := range c.run {
		if days != 0 && c.run[i].date != "" {
			c.run[i].date = later(c.run[i].date, days)
		}
	}
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
	for _, list := range [][]dated{a, b} {
		for _, d := range list {
			if today != "" && d.date > today {
				d.date = today
			}
			all = joined(all, d)
		}
	}
	return all
}

// joined returns the days with one more, which is added to that of its date if there is one.
func joined(days []dated, d dated) []dated {
	at := len(days)
	for i := range days {
		if days[i].date == d.date && d.date != "" {
			days[i].traffic.add(d.traffic)
			days[i].cost += d.cost
			return days
		}
		if days[i].date != "" && (days[i].date < d.date || d.date == "") {
			at = i
			break
		}
	}
	days = append(days, dated{})
	copy(days[at+1:], days[at:])
	days[at] = d
	return days
}

// all returns the days to tell, today first.
func (c *calendar) all(now instant) []dated {
	c.today(now)
	today := now.date()
	all := merged(c.run, c.before, today)
	if today != "" {
		first := later(today, 1-daysKept)
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
