package payment

import (
	"math"
	"slices"
)

// State is what the steps of a payment so far come to. The zero State is that of a payment none of whose steps is known.
type State struct {
	Last       Kind   // the newest step that is not a repetition; 0 while the first is not known
	Had        uint16 // bit k: a step of kind k was had
	Currency   string // of the first step that is known
	Authorised int64  // minor units, as approved or stored
	Captured   int64  // minor units
	Refunded   int64  // minor units, all refunds together
}

// next are the kinds that may follow a kind; those that may be first follow 0.
var next = [...][]Kind{
	0:               {Authorised, Declined, OfflineStored, TimedOut},
	Authorised:      {Captured, Voided, Expired},
	OfflineStored:   {Forwarded},
	Forwarded:       {Authorised, DeclinedAfterForward},
	Captured:        {Refunded},
	Refunded:        {Refunded},
	TimedOut:        {ReversalPending},
	ReversalPending: {Reversed},
	Expired:         nil, // the last kind: all others end a payment too
}

// settling are the kinds after which a payment is no longer stored at the merchant's risk: it was sent, or decided on.
const settling = 1<<Authorised | 1<<Declined | 1<<Forwarded | 1<<DeclinedAfterForward | 1<<Captured | 1<<Voided | 1<<Reversed | 1<<Expired

// Stores reports whether a step of this kind puts a payment into the terminal's store.
func (k Kind) Stores() bool { return k == OfflineStored }

// Settles reports whether a step of this kind takes a payment out of the terminal's store.
func (k Kind) Settles() bool { return settling&(1<<k) != 0 }

// had reports whether there was a step of this kind.
func (s State) had(k Kind) bool { return s.Had&(1<<k) != 0 }

// Stored reports whether the payment is stored on the terminal and was not sent to the acquirer yet.
func (s State) Stored() bool { return s.had(OfflineStored) && s.Had&settling == 0 }

// Next returns the state after one more step, and what does not fit. The step counts whatever is found: only a kind that was
// had before leaves the payment where it is, and an amount in another currency counts for nothing.
func (s State) Next(step Step) (State, []Anomaly) {
	var found []Anomaly
	repeated := s.had(step.Kind) && step.Kind != Refunded
	unknown := s.Last == 0 && step.Original != ""
	switch {
	case repeated:
		found = append(found, Repeated)
	case unknown:
		found = append(found, OriginalUnknown)
	case !follows(s.Last, step.Kind):
		found = append(found, IllegalTransition)
	}
	if s.Currency == "" {
		s.Currency = step.Currency
	}
	if s.Currency != step.Currency {
		found = append(found, CurrencyDiffers)
	} else if !repeated {
		s.count(step)
	}
	if step.Kind == Refunded && !unknown && s.Refunded > s.refundable() && s.Currency == step.Currency {
		found = append(found, RefundOverCaptured)
	}
	if s.contradicts(step) {
		found = append(found, AuthModeDiffers)
	}
	s.Had |= 1 << step.Kind
	if !repeated && !unknown {
		s.Last = step.Kind
	}
	return s, found
}

func follows(last, kind Kind) bool {
	return int(last) < len(next) && slices.Contains(next[last], kind)
}

// count adds the amount of a step.
func (s *State) count(step Step) {
	switch step.Kind {
	case Authorised, OfflineStored:
		s.Authorised = step.Minor
	case Captured:
		s.Captured = step.Minor
	case Refunded:
		s.Refunded = sum(s.Refunded, step.Minor)
	}
}

// refundable returns what may be refunded in all. Where nothing was captured that is what was approved: many tills never
// report a capture.
func (s State) refundable() int64 {
	if s.had(Captured) {
		return s.Captured
	}
	return s.Authorised
}

// contradicts reports whether who decided can't have decided that.
func (s State) contradicts(step Step) bool {
	switch step.Kind {
	case OfflineStored:
		return step.Mode == Online
	case Authorised, Declined:
		return step.Mode == StoreAndForward && !s.had(Forwarded)
	}
	return false
}

// sum adds two amounts that are not below 0, and stops at the largest there is.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
