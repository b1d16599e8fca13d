package loyalty

import "slices"

// Signal is a sign that an award may be fraud. It changes no card: people look at it.
type Signal struct {
	Entry EntryID // the award
	What  string  // one of the Signal constants
}

// All signals.
const (
	SignalNoPayment       = "no_payment"       // it names no payment, and the programme asks for one
	SignalRefundedPayment = "refunded_payment" // its payment was given back, and the award was not
	SignalSharedPayment   = "shared_payment"   // an earlier award names the same payment
)

// Signals looks at the awards that were not taken back. refunded says whether a payment was given back, by terminal and
// key. Signals are in the order of [Entry.Compare]; which order the entries come in makes no difference.
func Signals(p Programme, entries []Entry, refunded func(terminal, key string) bool) []Signal {
	f := newFold(p.ID, entries)
	f.run()
	var awards []int32
	for i := range entries {
		if e := &entries[i]; f.owner[i] != none && f.marks[i]&(markOut|markVoided) == 0 && e.Body.Kind() == KindStamp {
			awards = append(awards, int32(i))
		}
	}
	slices.SortFunc(awards, f.compare)
	type payment struct{ terminal, key string }
	used := map[payment]struct{}{}
	var signals []Signal
	for _, i := range awards {
		id, b := entries[i].ID, entries[i].Body.(Stamp)
		if b.PaymentKey == "" {
			if p.RequirePayment {
				signals = append(signals, Signal{id, SignalNoPayment})
			}
			continue
		}
		name := payment{id.Terminal, b.PaymentKey}
		if _, again := used[name]; again {
			signals = append(signals, Signal{id, SignalSharedPayment})
		}
		used[name] = struct{}{}
		if refunded(id.Terminal, b.PaymentKey) {
			signals = append(signals, Signal{id, SignalRefundedPayment})
		}
	}
	return signals
}
