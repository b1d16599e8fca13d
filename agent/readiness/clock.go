package readiness

import "github.com/stampd/stampd/uplink/wire"

// What becomes worse while nobody knows what time it is, by what is done.
const (
	clockOfPayments = "how old a stored payment is can't be told after a restart"
	clockOfStamps   = "who got a stamp before the last restart gets another one at once, and it is kept as unverified"
	clockOfRewards  = "the right to give rewards without asking is of no use after a restart"
)

// clock says how far the time can be trusted, and what becomes worse when it can't.
func (f *Facts) clock(worse string) []*wire.ReadinessReason {
	const code, hint = wire.ReadinessCode_READINESS_CODE_CLOCK, "bring the terminal online once: the backend tells it the time"
	switch f.Clock {
	case wire.ClockConfidence_CLOCK_CONFIDENCE_NTP, wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK:
		return reasons(code, ready, "the clock was checked", "")
	case wire.ClockConfidence_CLOCK_CONFIDENCE_RTC:
		if worse == clockOfPayments { // an age needs no better clock
			return reasons(code, ready, "the clock was not checked since boot, and shows a time that can be right", "")
		}
		return reasons(code, degraded, "the clock was not checked since boot: "+worse, hint)
	case wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET:
		return reasons(code, degraded, "the clock was never set: "+worse, hint)
	}
	return reasons(code, degraded, "it is not known whether the clock is right: "+worse, hint)
}
