package entry

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// ProgrammeFromWire returns the rules in a message, and what is wrong with them: see [loyalty.Programme.Check]. It keeps
// nothing of the message.
func ProgrammeFromWire(m *wire.Programme) (loyalty.Programme, error) {
	p := loyalty.Programme{
		ID: m.GetId(), Version: m.GetVersion(), StampsPerReward: m.GetStampsPerReward(), MaxStampsPerPurchase: m.GetMaxStampsPerPurchase(),
		Earn:         loyalty.Earn{PerVisit: m.GetStampsPerVisit(), PerItem: m.GetStampsPerItem(), SpendPerStamp: amounts(m.GetSpendPerStamp())},
		MinimumSpend: amounts(m.GetMinimumSpend()), MaxPerTerminalHour: m.GetMaxPerTerminalHour(),
		MaxPerOperatorHour: m.GetMaxPerOperatorHour(), MaxManualPerDay: m.GetMaxManualPerDay(), Zone: m.GetZone(),
		FloorPerAccountDay: m.GetFloorPerAccountDay(), FloorTotal: m.GetFloorTotal(), ForgiveOverdraft: m.GetForgiveOverdraft(),
		NoCarryOver: m.GetNoCarryOver(), ExpireAfter: span(m.GetExpireAfterMs()), RequirePayment: m.GetRequirePayment(),
	}
	if m != nil && m.MinGapMs != nil {
		p.MinGap = new(span(m.GetMinGapMs()))
	}
	if m != nil && m.MaxPerDay != nil {
		p.MaxPerDay = new(m.GetMaxPerDay())
	}
	for _, r := range m.GetRewards() {
		p.Rewards = append(p.Rewards, loyalty.Reward{ID: r.GetId(), Name: r.GetName(), Stamps: r.GetStamps()})
	}
	return p, p.Check()
}

// ProgrammeToWire returns rules as a message: the same for the same rules.
func ProgrammeToWire(p loyalty.Programme) *wire.Programme {
	m := &wire.Programme{
		Id: p.ID, Version: p.Version, StampsPerReward: p.StampsPerReward, MaxStampsPerPurchase: p.MaxStampsPerPurchase,
		StampsPerVisit: p.Earn.PerVisit, StampsPerItem: p.Earn.PerItem, SpendPerStamp: money(p.Earn.SpendPerStamp),
		MinimumSpend: money(p.MinimumSpend), MaxPerTerminalHour: p.MaxPerTerminalHour,
		MaxPerOperatorHour: p.MaxPerOperatorHour, MaxManualPerDay: p.MaxManualPerDay, Zone: p.Zone,
		FloorPerAccountDay: p.FloorPerAccountDay, FloorTotal: p.FloorTotal, ForgiveOverdraft: p.ForgiveOverdraft,
		NoCarryOver: p.NoCarryOver, ExpireAfterMs: p.ExpireAfter.Milliseconds(), RequirePayment: p.RequirePayment,
	}
	if p.MinGap != nil {
		m.MinGapMs = new(p.MinGap.Milliseconds())
	}
	if p.MaxPerDay != nil {
		m.MaxPerDay = new(*p.MaxPerDay)
	}
	for _, r := range p.Rewards {
		m.Rewards = append(m.Rewards, &wire.ProgrammeReward{Id: r.ID, Name: r.Name, Stamps: r.Stamps})
	}
	return m
}

// span returns a time in milliseconds. One that is too long for a Duration is the longest, or the shortest.
func span(ms int64) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}

func amounts(list []*wire.Money) map[string]int64 {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]int64, len(list))
	for _, a := range list {
		m[a.GetCurrency()] = a.GetMinor()
	}
	return m
}

func money(m map[string]int64) []*wire.Money {
	var list []*wire.Money
	for _, code := range slices.Sorted(maps.Keys(m)) {
		list = append(list, &wire.Money{Currency: code, Minor: m[code]})
	}
	return list
}
