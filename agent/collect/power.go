package collect

import (
	"context"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// powerEvery is how often batteries are looked at for a change that is to be told at once.
const powerEvery = 10 * time.Second

// maxTold is how many batteries are remembered; there are never so many at a time.
const maxTold = 32

// power is what of a battery is to be told at once when it changes. Both may be unknown.
type power struct {
	status   wire.ChargeStatus
	external *bool
}

// powerWatch tells when the power of a battery changes: by the battery's name, what was told last. It belongs to the
// goroutine that reads batteries.
type powerWatch map[string]power

// news returns whether a reading differs from what was told of its battery. What becomes unknown is no news, and neither is
// what becomes known for the first time.
func (w powerWatch) news(reading *wire.Battery) bool {
	told := w[reading.Name]
	const unknown = wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
	return told.status != unknown && reading.Status != unknown && told.status != reading.Status ||
		told.external != nil && reading.ExternalPower != nil && *told.external != *reading.ExternalPower
}

// remember keeps what of a reading is known.
func (w powerWatch) remember(reading *wire.Battery) {
	told := w[reading.Name]
	if reading.Status != wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED {
		told.status = reading.Status
	}
	if reading.ExternalPower != nil {
		told.external = reading.ExternalPower
	}
	if len(w) >= maxTold {
		clear(w) // names that a driver made up anew at each plugging in
	}
	w[reading.Name] = told
}

// sight is what a look at the batteries found.
type sight struct {
	looked   bool // at the batteries, to the end
	readings []*wire.Battery
	events   []*wire.Event // to be recorded, without a clock
	urgent   bool          // to be told at once
}

// look looks at the batteries, and tells of them when that is due, and when the power of one changed or a part went missing
// or came back, or when one has gone wrong. What may not be told at once now is looked at again, and told in its turn.
func (c *Collector) look(ctx context.Context, due bool) (seen sight) {
	now := time.Now()
	c.looked = now
	var readings []*wire.Battery
	c.survive(func() { readings = c.batteries(ctx, due) })
	if ctx.Err() != nil {
		return seen
	}
	seen.looked, seen.readings = true, readings
	ill := c.illness(readings)
	for _, reading := range readings {
		news := ill || c.power.news(reading)
		atOnce := news && c.urgent.take(now)
		if due || atOnce {
			seen.events = append(seen.events, &wire.Event{Body: &wire.Event_Battery{Battery: reading}})
		}
		if due || atOnce || !news {
			c.power.remember(reading)
		}
		seen.urgent = seen.urgent || atOnce
	}
	lost := c.parts.news(c.opts.Board.Found())
	for _, l := range lost {
		seen.events = append(seen.events, c.lifecycle(l))
	}
	seen.urgent = seen.urgent || len(lost) > 0 && c.urgent.take(now)
	changed := c.lookAtWay(ctx)
	seen.events = append(seen.events, changed...)
	seen.urgent = seen.urgent || len(changed) > 0
	return seen
}

// batteries reads the batteries when that is due or there is news of one of them, and else looks at them only.
func (c *Collector) batteries(ctx context.Context, due bool) []*wire.Battery {
	if !due {
		readings := c.opts.Board.Glance(ctx)
		if !slices.ContainsFunc(readings, c.power.news) && !c.illness(readings) {
			return readings
		}
	}
	return c.opts.Board.Batteries(ctx)
}

// illness reports whether something is wrong with a battery that was not when that was judged last.
func (c *Collector) illness(readings []*wire.Battery) bool {
	return judgeBatteries(c.pace.found, readings)&^c.pace.wrong != 0
}

// act hands over what is to be told at once, and looks after readings in memory when a battery runs down.
func (c *Collector) act(ctx context.Context, seen sight) {
	c.tellUrgent(seen.urgent)
	if seen.looked {
		c.judgeLook(seen.readings)
	}
	c.saveWhenLow(ctx, time.Now(), seen.readings)
}

// tellUrgent hands over what was recorded when a battery or a modem has something in it that is to be told at once.
func (c *Collector) tellUrgent(battery bool) {
	if battery || c.modemUrgent {
		c.modemUrgent = false
		c.Flush()
	}
}
