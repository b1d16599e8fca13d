package collect

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// source is a part of the terminal, and how often it is read.
type source struct {
	every    time.Duration                       // unless the pace is another
	concerns trouble                             // while any of it is wrong, it is read faster
	read     func(context.Context) []*wire.Event // without a clock; nothing when it can't be read
}

// sources returns every part but the batteries, which are last in each round: they may take long.
func (c *Collector) sources() []source {
	list := []source{
		{c.opts.HostEvery, concernsHost, c.readHost},
		{c.opts.AppEvery, concernsHost, c.readApps},
		{c.opts.AppReportEvery, 0, c.readReports},
		{c.opts.NetworkEvery, concernsLink, c.readInterfaces},
	}
	if c.opts.Uplink != nil {
		list = append(list, source{c.opts.ConnectionEvery, concernsLink, c.readConnection})
	}
	if c.opts.Board.HasModem() {
		list = append(list, source{c.opts.ModemEvery, concernsLink, c.readModem})
	}
	return list
}

// pauses returns how often each part is read now: the batteries, and then every source.
func (c *Collector) pauses() []time.Duration {
	now := time.Now()
	pauses := []time.Duration{c.pace.pace(now, concernsPower).of(c.opts.BatteryEvery)}
	for _, s := range c.sources() {
		pauses = append(pauses, c.pace.pace(now, s.concerns).of(s.every))
	}
	return pauses
}

// newGrid returns a grid that begins anywhere, so that a fleet does not report in step.
func (c *Collector) newGrid(now time.Time) *grid {
	g := &grid{pauses: c.pauses(), jitter: c.opts.Jitter}
	longest := c.opts.BatteryEvery
	for _, s := range c.sources() {
		longest = max(longest, s.every)
	}
	g.base = now.Add(-rand.N(longest))
	return g
}

// watch reads everything at once and then what comes due, in rounds, until ctx ends. In between it looks at the batteries.
func (c *Collector) watch(ctx context.Context) {
	read := time.Now()
	g := c.newGrid(read)
	// The first block is cut short at random: terminals that start together don't hand over their blocks together.
	c.round(ctx, read.Add(-rand.N(c.opts.BlockEvery)), func(int) bool { return true })
	for ctx.Err() == nil {
		g.pauses = c.pauses()
		tick := g.after(time.Now())
		if !c.lookUntil(ctx, g, tick, tick.Add(g.late(tick))) {
			continue
		}
		// What came due while the machine slept or a part took long is read now, and once.
		last := read
		read = time.Now()
		c.round(ctx, tick, func(part int) bool { return g.came(g.pauses[part], last, read) })
	}
}

// lookUntil looks at the batteries every few seconds until the next round is to start. It returns false when it is not to:
// ctx ended, or the pauses changed before the tick.
func (c *Collector) lookUntil(ctx context.Context, g *grid, tick, start time.Time) bool {
	for {
		if time.Now().Before(tick) && !slices.Equal(g.pauses, c.pauses()) {
			return false
		}
		c.settle(tick)
		wait := time.NewTimer(min(time.Until(start), time.Until(c.looked.Add(powerEvery))))
		select {
		case <-wait.C:
		case readings := <-c.modem.seen:
			wait.Stop()
			seen := c.modemSeen(readings)
			c.record(time.Now(), seen.events...)
			c.modemUrgent = c.modemUrgent || seen.urgent
			c.tellUrgent(false)
			c.judge()
			continue
		case <-ctx.Done():
			wait.Stop()
			return false
		}
		if !time.Now().Before(start) {
			return true
		}
		seen := c.look(ctx, false)
		c.record(time.Now(), seen.events...)
		c.act(ctx, seen)
	}
}

// round reads what is due, by its place among the pauses, all of it at one moment, and records it in one go. at is when the
// block may count it from.
func (c *Collector) round(ctx context.Context, at time.Time, due func(part int) bool) {
	var events []*wire.Event
	now := takeMoment(c.opts.Clock)
	add := func(read []*wire.Event) {
		if len(read) == 0 {
			return
		}
		clock := now.stamp(c.opts.Clock)
		for _, e := range read {
			e.Clock = clock
		}
		events = append(events, read...)
	}
	for i, s := range c.sources() {
		if due(1 + i) {
			c.survive(func() { add(s.read(ctx)) })
		}
	}
	var seen sight
	if due(0) {
		seen = c.look(ctx, true)
		add(seen.events)
	}
	c.record(at, events...)
	c.pace.read(events)
	c.judge()
	c.act(ctx, seen)
}
