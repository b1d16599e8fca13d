package ledger

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// RecordPayment stores one step of a payment. When it returns without error, the step is on disk and stays there until
// the backend has it. The same key with the same payment gives the same answer again and stores nothing. What does not fit
// together with the payment's other steps is recorded with it and told in the answer, and refuses nothing.
//
// Errors: *[Invalid], *[pci.Violation], [ErrKeyReused], and the causes of package buffer.
func (l *Ledger) RecordPayment(ctx context.Context, req *wire.RecordPaymentRequest) (*wire.RecordPaymentResponse, error) {
	p, err := l.checkPayment(req.GetPayment())
	if err != nil {
		return nil, err
	}
	now := l.Clock.Now()
	record, err := l.paymentRecord(now, p)
	if err != nil {
		return nil, err
	}
	body, err := bodyHash(p)
	if err != nil {
		return nil, err
	}
	answer := new(wire.RecordPaymentResponse)
	err = l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		known, err := recall(tx, opPayment, p.GetIdempotencyKey(), body, answer)
		if err != nil || known {
			answer.Duplicate = known
			return err
		}
		keep(tx, now)
		found := l.judge(tx, p, now)
		if found.any() {
			// What was found has to be looked at too; most payments have nothing.
			if record, err = l.paymentRecord(now, found.on(p)); err != nil {
				return err
			}
		}
		answer.Seq, answer.Epoch = tx.Append(record), tx.Epoch().String()
		answer.AuthMode, answer.Anomalies, answer.Risk = p.GetAuthMode(), found.anomalies, found.risk
		if err := l.tellLimits(tx, found.crossed, now); err != nil {
			return err
		}
		return remember(tx, opPayment, p.GetIdempotencyKey(), body, now.GetWallUnixMs(), answer)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (l *Ledger) paymentRecord(now *wire.Clock, p *wire.Payment) (pci.Clean, error) {
	return l.Guard.Check(&wire.Event{Clock: now, Body: &wire.Event_Payment{Payment: p}})
}

// finding is what the terminal knows about a step beside what it was told.
type finding struct {
	anomalies []wire.PaymentAnomaly
	risk      *wire.PaymentRisk // of a step that stores
	crossed   []payment.Crossing
}

// any reports whether the event says anything of it.
func (f finding) any() bool { return len(f.anomalies) > 0 || f.risk != nil }

// on returns a copy of p with what was found.
func (f finding) on(p *wire.Payment) *wire.Payment {
	p = proto.CloneOf(p)
	p.Anomalies, p.Risk = f.anomalies, f.risk
	return p
}

// judge takes a step into the payment that it belongs to, and into what is stored. Rows that can't be read count as not
// there: a payment is never refused because of them.
func (l *Ledger) judge(tx *buffer.Tx, p *wire.Payment, now *wire.Clock) finding {
	// A first step may have steps that came before it, under its own key.
	first, state := paymentOf(tx, cmp.Or(p.GetOriginalKey(), p.GetIdempotencyKey()))
	kind := payment.Kind(p.GetKind())
	state, anomalies := state.Next(payment.Step{
		Key: p.GetIdempotencyKey(), Original: p.GetOriginalKey(), Kind: kind, Mode: payment.Mode(p.GetAuthMode()),
		Minor: p.GetAmountMinor(), Currency: p.GetCurrency(),
	})
	tx.Keep(buffer.Keys, keyRow(opState, first), stateRow(state))
	if first != p.GetIdempotencyKey() {
		tx.Keep(buffer.Keys, keyRow(opState, p.GetIdempotencyKey()), linkRow(first))
		moveStored(tx, p.GetIdempotencyKey(), first)
	}
	var f finding
	for _, a := range anomalies {
		f.anomalies = append(f.anomalies, wire.PaymentAnomaly(a))
	}
	switch {
	case kind.Stores() && state.Stored():
		f.crossed, f.risk = l.store(tx, first, p, now)
	case kind.Settles():
		f.crossed = l.settle(tx, first, now)
	}
	return f
}
