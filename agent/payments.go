package main

import (
	"context"
	"time"

	"github.com/stampd/stampd/loyalty/payment"
)

// limitsEvery is how often the age of the oldest stored payment is looked at.
const limitsEvery = time.Minute

// paymentLimits returns what is watched of stored payments.
func (a *agent) paymentLimits() payment.Limits {
	cfg := a.cfg.Payments
	limits := payment.Limits{Count: cfg.MaxCount, Age: cfg.MaxAge.Duration}
	// The settings were checked.
	limits.Amounts, _ = parseAmounts(cfg.MaxAmount)
	limits.Totals, _ = parseAmounts(cfg.MaxTotal)
	return limits
}

// watchLimits records each limit that stored payments come to, until ctx ends.
func (a *agent) watchLimits(ctx context.Context) {
	tick := time.NewTicker(limitsEvery)
	defer tick.Stop()
	for {
		if err := a.ledger.WatchLimits(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("the limits of stored payments can't be watched")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
