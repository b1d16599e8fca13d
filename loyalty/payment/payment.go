// Package payment knows which steps the life of a payment may have, what does not fit together in them, and how far what is
// stored on a terminal has come towards its limits. The ledger uses it on the terminal, and whoever has the records may use it
// elsewhere: both come to the same.
//
// It judges and never refuses: a step that makes no sense is what the shop's till has done, and is counted as such. It does no
// I/O, reads no clock and knows no storage.
package payment

import (
	"cmp"
	"slices"
)

// Kind is a step of a payment's life. The numbers are those of PaymentKind in uplink/wire.
type Kind uint8

// The kinds of steps.
const (
	Authorised           Kind = 1
	Declined             Kind = 2
	OfflineStored        Kind = 3
	Forwarded            Kind = 4
	DeclinedAfterForward Kind = 5
	Captured             Kind = 6
	Voided               Kind = 7
	Refunded             Kind = 8
	ReversalPending      Kind = 9
	Reversed             Kind = 10
	TimedOut             Kind = 11
	Expired              Kind = 12
)

// Mode says who decided. The numbers are those of AuthMode in uplink/wire.
type Mode uint8

// The modes. 0 is not known.
const (
	Online          Mode = 1
	OfflineEMV      Mode = 2
	StoreAndForward Mode = 3
)

// Anomaly is what does not fit together. The numbers are those of PaymentAnomaly in uplink/wire, which says more of each.
type Anomaly uint8

// The anomalies.
const (
	IllegalTransition  Anomaly = 1
	OriginalUnknown    Anomaly = 2
	Repeated           Anomaly = 3
	RefundOverCaptured Anomaly = 4
	CurrencyDiffers    Anomaly = 5
	AuthModeDiffers    Anomaly = 6
)

// Step is one step of a payment.
type Step struct {
	Epoch    uint64 // which life of the terminal's queue it is of, counted in their order
	Seq      uint64 // its number there: steps are taken in this order, whatever order they come in
	Key      string // its idempotency key
	Original string // that of a step of the same payment; empty: it is the first
	Kind     Kind
	Mode     Mode
	Minor    int64 // its amount in minor units, >= 0
	Currency string
}

// Fold takes the steps of one terminal, in any order and some of them twice, and returns the payments that they come to, by
// the key of the first step, and the anomalies of each step that has any, by its key.
func Fold(steps []Step) (payments map[string]State, anomalies map[string][]Anomaly) {
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq))
	})
	payments, anomalies = map[string]State{}, map[string][]Anomaly{}
	firsts := map[string]string{} // of each step that is not the first, the key of the first
	seen := map[string]bool{}
	for _, s := range steps {
		if seen[s.Key] {
			continue
		}
		seen[s.Key] = true
		first := s.Key
		if s.Original != "" {
			first = First(s.Original, func(key string) (string, bool) { f, ok := firsts[key]; return f, ok })
		}
		if first != s.Key {
			firsts[s.Key] = first
		}
		state, found := payments[first].Next(s)
		payments[first] = state
		if len(found) > 0 {
			anomalies[s.Key] = found
		}
	}
	return payments, anomalies
}

// mostLinks is how many links are followed from a step to the first of its payment. There are several only where steps came
// before those that they name.
const mostLinks = 16

// First returns the key of the first step of the payment that the step with this key is of, as far as links tell: they lead
// from each step that is not the first towards it. Links that are made by what First returns never lead in a circle.
func First(key string, link func(key string) (string, bool)) string {
	for range mostLinks {
		next, ok := link(key)
		if !ok {
			break
		}
		key = next
	}
	return key
}
