package main

import (
	"context"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// newLedger returns the ledger. It asks the uplink, which is made after it, since the uplink hands it what the backend sends.
func (a *agent) newLedger() (*ledger.Ledger, error) {
	return ledger.New(ledger.Options{
		Queue:      a.queue,
		Guard:      a.guard,
		Terminal:   a.cfg.Terminal.ID,
		Programme:  a.cfg.Loyalty.programme(),
		Refs:       a.memberKey(),
		FormerRefs: a.formerMemberKeys(),
		Region:     a.cfg.Loyalty.Region,
		Limits:     a.paymentLimits(),
		KeepBIN6:   a.cfg.Payments.KeepBIN6,
		Clock:      a.clock,
		Online:     func() bool { return a.uplink.Online() },
		Ask: func(ctx context.Context, r *wire.LeaseRequest) (*wire.LeaseAnswer, error) {
			return a.uplink.RequestLease(ctx, r)
		},
	})
}

// programme returns the rules that hold until the backend sends some. The settings were checked.
func (l LoyaltyConfig) programme() loyalty.Programme {
	p := loyalty.Programme{
		ID: l.ProgrammeID, Version: l.ProgrammeVersion, StampsPerReward: l.StampsPerReward, MaxStampsPerPurchase: l.MaxStampsPerPurchase,
		MinGap: &l.MinGap.Duration, MaxPerTerminalHour: l.MaxPerTerminalHour, MaxPerOperatorHour: l.MaxPerOperatorHour,
		MaxManualPerDay: l.MaxManualPerDay, Zone: l.TimeZone, FloorPerAccountDay: l.FloorPerAccountDay, FloorTotal: l.FloorTotal,
	}
	if l.MaxPerDay >= 0 {
		p.MaxPerDay = &l.MaxPerDay
	}
	p.MinimumSpend, _ = parseAmounts(l.MinimumSpend)
	return p
}
