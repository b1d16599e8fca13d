package ledger

import (
	"time"

	"github.com/stampd/stampd/loyalty"
)

// Refusal is why a call of the loyalty ledger is not done, for programs. The words are told to callers, so they never change.
type Refusal string

// All refusals.
const (
	RefusedTooSoon          Refusal = "TOO_SOON"
	RefusedMaxPerDay        Refusal = "MAX_PER_DAY"
	RefusedTerminalHour     Refusal = "TERMINAL_HOUR"
	RefusedOperatorHour     Refusal = "OPERATOR_HOUR"
	RefusedManualDay        Refusal = "MANUAL_DAY"
	RefusedMinimumSpend     Refusal = "MINIMUM_SPEND"
	RefusedErased           Refusal = "MEMBER_ERASED"
	RefusedNotLinked        Refusal = "CARD_NOT_LINKED"
	RefusedNothingAvailable Refusal = "NOTHING_AVAILABLE"
	RefusedNoRight          Refusal = "NO_RIGHT"
	RefusedLeaseSpent       Refusal = "LEASE_SPENT"
	RefusedLeaseExpired     Refusal = "LEASE_EXPIRED"
	RefusedLeaseAfterReboot Refusal = "LEASE_AFTER_REBOOT"
	RefusedFloorSpent       Refusal = "FLOOR_SPENT"
	RefusedLeasedElsewhere  Refusal = "LEASED_ELSEWHERE"
	RefusedHoldUnknown      Refusal = "HOLD_UNKNOWN"
	RefusedEntryUnknown     Refusal = "ENTRY_UNKNOWN"
)

// Refused says why a call is not done, by the rules and not by its form. No card was changed.
type Refused struct {
	Reason     Refusal
	Field      string        // of the request; empty means all of it
	RetryAfter time.Duration // in whole seconds; 0: waiting does not help, or unknown
	Seq        uint64        // the record of the refusal; 0: there is none
	Epoch      string        // of Seq
	Duplicate  bool          // it is the answer given before
}

// Error says which refusal it is.
func (r *Refused) Error() string { return "refused by the rules: " + string(r.Reason) }

// refusalOf returns the refusal of stamps for a reason.
func refusalOf(r loyalty.Reason) Refusal {
	switch r {
	case loyalty.ReasonTooSoon:
		return RefusedTooSoon
	case loyalty.ReasonMaxPerDay:
		return RefusedMaxPerDay
	case loyalty.ReasonTerminalHour:
		return RefusedTerminalHour
	case loyalty.ReasonOperatorHour:
		return RefusedOperatorHour
	case loyalty.ReasonManualDay:
		return RefusedManualDay
	case loyalty.ReasonMinimumSpend:
		return RefusedMinimumSpend
	}
	return RefusedErased
}

// refusalOfReward returns the refusal of a reward.
func refusalOfReward(r loyalty.Refusal) Refusal {
	switch r {
	case loyalty.RefusedNothingAvailable:
		return RefusedNothingAvailable
	case loyalty.RefusedLeaseSpent:
		return RefusedLeaseSpent
	case loyalty.RefusedLeaseExpired:
		return RefusedLeaseExpired
	case loyalty.RefusedLeaseAfterReboot:
		return RefusedLeaseAfterReboot
	case loyalty.RefusedFloorSpent:
		return RefusedFloorSpent
	}
	return RefusedNoRight
}
