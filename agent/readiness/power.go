package readiness

import (
	"fmt"
	"time"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// nearlyEmpty is the charge at which a battery in use is nearly empty, in percent.
const nearlyEmpty = 10

// power says how long the terminal runs. Nothing that was recorded is lost when it stops.
func (f *Facts) power() []*wire.ReadinessReason {
	const code = wire.ReadinessCode_READINESS_CODE_BATTERY
	switch {
	case !f.Power.Known:
		return reasons(code, degraded, "it is not known what feeds the terminal", "see 'stampd status'")
	case len(f.Power.Batteries) == 0 && f.Power.Unreadable == 0:
		return reasons(code, ready, "no battery was found: the terminal runs as long as it is plugged in", "")
	case len(f.Power.Batteries) == 0:
		return reasons(code, degraded, "the battery can't be read: it is not known how long it lasts", "'stampd status' says what is wrong with it")
	}
	r := &wire.ReadinessReason{Code: code, Readiness: ready, Text: "the terminal is plugged in"}
	for _, b := range f.Power.Batteries {
		if one := f.battery(b); rank(one.GetReadiness()) < rank(r.GetReadiness()) || one.Left != nil && (r.Left == nil || one.GetLeft() < r.GetLeft()) {
			r = one
		}
	}
	return []*wire.ReadinessReason{r}
}

// battery says how long the terminal runs on one of its batteries.
func (f *Facts) battery(b *wire.Battery) *wire.ReadinessReason {
	r := &wire.ReadinessReason{Code: wire.ReadinessCode_READINESS_CODE_BATTERY, Readiness: ready, Text: "the terminal is plugged in"}
	level := ""
	if b.CapacityPercent != nil {
		level = fmt.Sprintf(", with %d percent left", b.GetCapacityPercent())
	}
	switch {
	case b.GetStatus() == wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED && !b.GetExternalPower():
		r.Readiness, r.Text, r.Hint = degraded, "it is not known whether the terminal runs on its battery", "plug it in, to be sure"
		return r
	case b.GetStatus() != wire.ChargeStatus_CHARGE_STATUS_DISCHARGING:
		return r
	}
	lasts, known := lastsFor(b)
	if !known {
		r.Readiness, r.Text, r.Hint = degraded, "the terminal runs on its battery"+level+"; it is not known for how long", "plug it in"
		return r
	}
	r.Text, r.Left, r.UntilUnixMs = "the terminal runs on its battery"+level+", for about "+cli.Span(lasts), new(int64(lasts/time.Second)), f.in(lasts)
	if b.CapacityPercent != nil && b.GetCapacityPercent() <= nearlyEmpty || lasts < time.Hour {
		r.Readiness, r.Hint = degraded, "plug it in"
	}
	return r
}

// lastsFor returns how long a battery in use lasts: as the gauge foretells, or by what it gives now.
func lastsFor(b *wire.Battery) (time.Duration, bool) {
	if b.TimeToEmptySeconds != nil {
		return time.Duration(b.GetTimeToEmptySeconds()) * time.Second, true
	}
	if b.CapacityPercent == nil {
		return 0, false
	}
	left := int64(b.GetCapacityPercent())
	switch {
	case b.GetChargeRateMillipercentPerHour() < 0:
		return time.Duration(left*1000*int64(time.Hour/time.Second)/-int64(b.GetChargeRateMillipercentPerHour())) * time.Second, true
	case b.GetCurrentUa() < 0 && b.GetChargeFullUah() > 0 && b.GetChargeFullUah() < 1<<40:
		return time.Duration(b.GetChargeFullUah()/100*left*int64(time.Hour/time.Second)/-b.GetCurrentUa()) * time.Second, true
	}
	return 0, false
}
