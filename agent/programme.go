package main

import "github.com/stampd/stampd/loyalty"

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
