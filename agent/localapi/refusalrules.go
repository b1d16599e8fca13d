package localapi

import (
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// refuseByRules says what the programme, or what is known of the member, has against a call.
func refuseByRules(rules *ledger.Refused) *refusal {
	r := &refusal{code: connect.CodeFailedPrecondition, reason: "NO_RIGHT", field: rules.Field,
		text: "cannot give the reward: the backend can't be asked, and this terminal has no right to give it alone",
		hint: "ask again when the terminal is online"}
	switch rules.Reason {
	case ledger.RefusedTooSoon:
		r.reason, r.text, r.hint = "TOO_SOON", "no stamps: the member's last ones were just now", "ask again after retry_after_s, with a new key"
	case ledger.RefusedMaxPerDay:
		r.reason, r.text, r.hint = "MAX_PER_DAY", "no stamps: the member has had those of the day", "ask again tomorrow, with a new key"
	case ledger.RefusedTerminalHour:
		r.reason, r.text, r.hint = "TERMINAL_HOUR", "no stamps: this terminal has given those of the hour", "ask again later, with a new key"
	case ledger.RefusedOperatorHour:
		r.reason, r.text, r.hint = "OPERATOR_HOUR", "no stamps: the operator has given those of the hour", "ask again later, with a new key"
	case ledger.RefusedManualDay:
		r.reason, r.text, r.hint = "MANUAL_DAY", "no stamps: this terminal has given those by hand of the day", "ask again tomorrow, with a new key"
	case ledger.RefusedMinimumSpend:
		r.reason, r.text, r.hint = "MINIMUM_SPEND", "no stamps: the purchase earns none", "send spend_minor and spend_currency; the programme says what a purchase must come to"
	case ledger.RefusedErased:
		r.reason, r.text, r.hint = "MEMBER_ERASED", "the member was forgotten", "there is no card for this phone number any more, and there can be none"
	case ledger.RefusedNotLinked:
		r.reason, r.text, r.hint = "CARD_NOT_LINKED", "the payment card is no member's", "name the member by phone, and link the card with LinkCard"
	case ledger.RefusedNothingAvailable:
		r.reason, r.text, r.hint = "NOTHING_AVAILABLE", "cannot give the reward: the card does not have the stamps for it", "GetCard shows what it has"
	case ledger.RefusedLeaseSpent:
		r.reason, r.text, r.hint = "LEASE_SPENT", "cannot give the reward: the backend can't be asked, and what it allowed before is used up", "ask again when the terminal is online"
	case ledger.RefusedLeaseExpired:
		r.reason, r.text, r.hint = "LEASE_EXPIRED", "cannot give the reward: the backend can't be asked, and what it allowed before is over", "ask again when the terminal is online"
	case ledger.RefusedLeaseAfterReboot:
		r.reason, r.text, r.hint = "LEASE_AFTER_REBOOT", "cannot give the reward: the backend can't be asked, and since the terminal was started nobody knows what time it is", "ask again when the terminal is online"
	case ledger.RefusedFloorSpent:
		r.reason, r.text, r.hint = "FLOOR_SPENT", "cannot give the reward: the backend can't be asked, and what may be given without it was given", "ask again when the terminal is online"
	case ledger.RefusedLeasedElsewhere:
		r.reason, r.text, r.hint = "LEASED_ELSEWHERE", "cannot give the reward: another terminal has the right to give it", "give it there, or ask again later"
	case ledger.RefusedHoldUnknown:
		r.reason, r.text, r.hint = "HOLD_UNKNOWN", "cannot give the reward: nothing is set aside for it under that key", "leave hold_key out, or name the call that set stamps aside for this member and reward"
	case ledger.RefusedEntryUnknown:
		r.reason, r.text, r.hint = "ENTRY_UNKNOWN", "cannot undo the entry: the terminal does not know it, nor whose it is", "name the member as well; it then waits for the entry"
	}
	return r
}

// rulesDetail returns what the rules say beside a refusal: when to ask again, and where the refusal is recorded.
func rulesDetail(err error) *wire.ErrorDetail {
	rules := new(ledger.Refused)
	if !errors.As(err, &rules) {
		return &wire.ErrorDetail{}
	}
	detail := &wire.ErrorDetail{Seq: rules.Seq, Epoch: rules.Epoch}
	if wait := uint32(rules.RetryAfter / time.Second); wait > 0 {
		detail.RetryAfterS = &wait
	}
	return detail
}
