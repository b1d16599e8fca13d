package collect

import (
	"context"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// powerEvery is how often batteries are looked at for a change that is to be told at once.
const powerEvery = 5 * time.Second

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

// watchBatteries looks at the batteries every few seconds until ctx ends. It records them on their own schedule, and at
// once when the power of one changed or a part went missing or came back. What may not be told at once now is looked at
// again, and told in its turn.
func (c *Collector) watchBatteries(ctx context.Context, raster schedule) {
	report := raster.with(c.opts.BatteryEvery)
	look := raster.with(min(powerEvery, c.opts.BatteryEvery))
	var next time.Time
	look.run(ctx, func(ctx context.Context) {
		readings := c.opts.Board.Batteries(ctx)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		due := look.every == report.every || !now.Before(next)
		if due {
			next = report.after(now)
		}
		urgent := false
		for _, reading := range readings {
			news := c.power.news(reading)
			atOnce := news && c.urgent.take(now)
			if due || atOnce {
				c.record(&wire.Event{Body: &wire.Event_Battery{Battery: reading}})
			}
			if due || atOnce || !news {
				c.power.remember(reading)
			}
			urgent = urgent || atOnce
		}
		lost := c.parts.news(c.opts.Board.Found())
		for _, l := range lost {
			c.lifecycle(l)
		}
		if urgent || len(lost) > 0 && c.urgent.take(now) {
			c.Flush()
		}
		c.saveWhenLow(ctx, now, readings)
	})
}
