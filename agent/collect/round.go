package collect

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// source is a part of the terminal, and how often it is read.
type source struct {
	every time.Duration
	read  func(context.Context) []*wire.Event // without a clock; nothing when it can't be read
}

// sources returns every part but the batteries, which are last in each round: they may take long.
func (c *Collector) sources() []source {
	list := []source{{c.opts.HostEvery, c.readHost}, {c.opts.AppEvery, c.readApp}, {c.opts.NetworkEvery, c.readInterfaces}}
	if c.opts.Board.HasModem() {
		list = append(list, source{c.opts.ModemEvery, c.readModem})
	}
	return list
}

// newGrid returns a grid that begins anywhere, so that a fleet does not report in step.
func (c *Collector) newGrid(now time.Time) *grid {
	g := &grid{pauses: []time.Duration{c.opts.BatteryEvery}, jitter: c.opts.Jitter}
	longest := c.opts.BatteryEvery
	for _, s := range c.sources() {
		g.pauses = append(g.pauses, s.every)
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
	c.round(ctx, read.Add(-rand.N(c.opts.BlockEvery)), func(time.Duration) bool { return true })
	for {
		tick := g.after(time.Now())
		if !c.lookUntil(ctx, tick, tick.Add(g.late(tick))) {
			return
		}
		// What came due while the machine slept or a part took long is read now, and once.
		last := read
		read = time.Now()
		c.round(ctx, tick, func(pause time.Duration) bool { return g.came(pause, last, read) })
	}
}

// lookUntil looks at the batteries every few seconds until the next round is to start, and returns false when ctx ended.
func (c *Collector) lookUntil(ctx context.Context, tick, start time.Time) bool {
	for {
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

// round reads what is due, all of it at one moment, and records it in one go. at is when the block may count it from.
func (c *Collector) round(ctx context.Context, at time.Time, due func(pause time.Duration) bool) {
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
	for _, s := range c.sources() {
		if due(s.every) {
			add(s.read(ctx))
		}
	}
	var seen sight
	if due(c.opts.BatteryEvery) {
		seen = c.look(ctx, true)
		add(seen.events)
	}
	c.record(at, events...)
	c.act(ctx, seen)
}
