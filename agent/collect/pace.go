package collect

import (
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// paceFactor is how much slower or faster than by its setting a part is read.
	paceFactor = 4
	// paceFastest and paceSlowest are the pauses beyond which no pace takes a part.
	paceFastest, paceSlowest = 5 * time.Second, time.Hour
	// fastRest is the pause between two times of fast reading, after a burst of urgentBurst of them: a modem that comes and
	// goes for a month must not cost a cellular bill, nor fill the queue while offline.
	fastRest = 4 * time.Hour
)

// pace is how often a part is read.
type pace int

const (
	paceUsual pace = iota // as its setting says
	paceSlow              // the battery runs down
	paceFast              // something is wrong with it
)

// of returns the pause between readings. It is a multiple or a divisor of the setting, so that rounds stay common.
func (p pace) of(setting time.Duration) time.Duration {
	pause := setting
	for factor := 2; factor <= paceFactor; factor *= 2 {
		switch {
		case p == paceSlow && 2*pause <= paceSlowest:
			pause *= 2
		case p == paceFast && pause/2 >= paceFastest && setting%time.Duration(factor) == 0:
			pause /= 2
		}
	}
	return pause
}

// paceWatch decides how often the parts of the terminal are read: slower while a battery runs down, and else faster for a
// while when something has gone wrong. It belongs to the goroutine that reads.
type paceWatch struct {
	slowBelow uint32        // percent; 0 means never slower
	fastFor   time.Duration // 0 means never faster

	slow    bool
	found   trouble   // what was found to be wrong
	wrong   trouble   // what of it was judged already
	offline time.Time // since when; zero while the backend can be reached
	fast    [3]fastTime
}

// fastTime is when the parts are read faster that have to do with one another.
type fastTime struct {
	concern trouble
	allowed allowance
	until   time.Time
}

func newPaceWatch(slowBelow uint32, fastFor time.Duration) paceWatch {
	w := paceWatch{slowBelow: slowBelow, fastFor: fastFor}
	for i, concern := range []trouble{concernsLink, concernsPower, concernsHost} {
		w.fast[i] = fastTime{concern: concern, allowed: allowance{every: fastRest}}
	}
	return w
}

// charged takes in a look at the batteries.
func (w *paceWatch) charged(readings []*wire.Battery) {
	if w.slowBelow == 0 {
		return
	}
	switch chargeOf(readings, w.slowBelow) {
	case chargeFine:
		w.slow = false
	case chargeLow:
		w.slow = true
	}
}

// reached takes in whether the backend can be reached now.
func (w *paceWatch) reached(now time.Time, online bool) {
	switch {
	case online:
		w.offline = time.Time{}
	case w.offline.IsZero():
		w.offline = now
	}
}

// offlineFor returns how long the backend could not be reached.
func (w *paceWatch) offlineFor(now time.Time) time.Duration {
	if w.offline.IsZero() {
		return 0
	}
	return max(1, now.Sub(w.offline))
}

// read takes in what a round has read of the host.
func (w *paceWatch) read(events []*wire.Event) {
	for _, e := range events {
		if host := e.GetHost(); host != nil {
			w.found = judgeHost(w.found, host)
		}
	}
}

// judge returns what has gone wrong since the last call. What it concerns is read faster from now on, if that may be.
func (w *paceWatch) judge(now time.Time) (begun trouble) {
	begun = w.found &^ w.wrong
	w.wrong = w.found
	if w.fastFor == 0 {
		return begun
	}
	for i := range w.fast {
		if f := &w.fast[i]; begun&f.concern != 0 && f.allowed.take(now) {
			f.until = now.Add(w.fastFor)
		}
	}
	return begun
}

// pace returns how often a part is read that has to do with those troubles. A battery that runs down comes first: what is
// told at once still is.
func (w *paceWatch) pace(now time.Time, concern trouble) pace {
	if w.slow {
		return paceSlow
	}
	for _, f := range w.fast {
		if f.concern == concern && w.wrong&concern != 0 && now.Before(f.until) {
			return paceFast
		}
	}
	return paceUsual
}

// judge hands over what was recorded when something has gone wrong: what led to it is in there.
func (c *Collector) judge() {
	now, before := time.Now(), c.pace.wrong
	begun := c.pace.judge(now)
	if c.pace.wrong != before {
		c.opts.Log.Info().Stringer("now", c.pace.wrong).Stringer("before", before).Msg("what is wrong with the terminal has changed")
	}
	if begun&^troubleOffline != 0 && c.urgent.take(now) {
		c.Flush()
	}
}

// judgeLook takes in a look at the batteries, at the parts and at the uplink.
func (c *Collector) judgeLook(readings []*wire.Battery) {
	w, now := &c.pace, time.Now()
	w.charged(readings)
	w.reached(now, c.opts.Online())
	w.found = judgeBatteries(w.found, readings)
	w.found = judgeParts(w.found, c.parts.missing())
	w.found = judgeLink(w.found, w.offlineFor(now))
	c.judge()
}
