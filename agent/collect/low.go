package collect

import (
	"context"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// answerIn is how long the backend has, while the battery is low, before what was handed to the sink is written.
	answerIn = powerEvery
	// lowMargin is how far the charge must come back until the battery is no longer low, in percent: gauges flicker.
	lowMargin = 2
	// spillLimit is how long a slow disk may keep the batteries from being looked at.
	spillLimit = 10 * time.Second
)

// charge is what the batteries together say of the next power cut.
type charge int

const (
	chargeUnknown charge = iota
	chargeFine           // none is nearly empty
	chargeLow            // one gives charge and has next to none left
)

// chargeOf judges a look at the batteries. A battery is low that gives charge and has at most below percent of it left; one
// that does not say is never low, and never fine.
func chargeOf(readings []*wire.Battery, below uint32) charge {
	c := chargeUnknown
	for _, r := range readings {
		switch {
		case r.Status == wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED:
		case r.Status != wire.ChargeStatus_CHARGE_STATUS_DISCHARGING:
			c = max(c, chargeFine)
		case r.CapacityPercent == nil:
		case *r.CapacityPercent <= below:
			return chargeLow
		case *r.CapacityPercent > below+lowMargin:
			c = max(c, chargeFine)
		}
	}
	return c
}

// lowWatch is what is known while a battery runs down. It belongs to the goroutine that reads batteries.
type lowWatch struct {
	low    bool // until the charge is known to be fine
	failed bool // the last spill did not succeed
}

// saveWhenLow has what is in memory written when a battery becomes low, and as long as it is low what the backend has not
// answered in time: the next power cut may be the one that nobody announces.
func (c *Collector) saveWhenLow(ctx context.Context, now time.Time, readings []*wire.Battery) {
	if c.opts.SpillBelowPercent == 0 {
		return
	}
	switch chargeOf(readings, c.opts.SpillBelowPercent) {
	case chargeUnknown:
		return
	case chargeFine:
		c.low = lowWatch{}
		return
	}
	switch {
	case !c.low.low:
		if !c.urgent.take(now) { // a loose plug must not wear out the flash either
			return
		}
		c.low.low = true
		c.Flush()
	case !c.exposed(now.Add(-answerIn)):
		return
	}
	c.spill(ctx)
}

// spill has the sink write what it holds in memory. What fails is tried again at the next look.
func (c *Collector) spill(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, spillLimit)
	defer cancel()
	c.mu.Lock()
	since := c.handed
	c.handed = time.Time{}
	c.mu.Unlock()
	err := c.opts.Sink.Spill(ctx)
	if err != nil {
		c.mu.Lock()
		c.handed = since
		c.mu.Unlock()
		if !c.low.failed {
			c.opts.Log.Warn().Err(err).Msg("the battery is nearly empty, and readings in memory can't be written")
		}
	}
	c.low.failed = err != nil
}

// exposed reports whether a block was handed to the sink since the last spill, and no later than limit.
func (c *Collector) exposed(limit time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.handed.IsZero() && !c.handed.After(limit)
}
