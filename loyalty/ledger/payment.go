package ledger

import (
	"context"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// RecordPayment stores one step of a payment. When it returns without error, the step is on disk and stays there until
// the backend has it. The same key with the same payment gives the same answer again and stores nothing.
//
// Errors: *[Invalid], *[pci.Violation], [ErrKeyReused], and the causes of package buffer.
func (l *Ledger) RecordPayment(ctx context.Context, req *wire.RecordPaymentRequest) (*wire.RecordPaymentResponse, error) {
	p := req.GetPayment()
	if err := checkPayment(p); err != nil {
		return nil, err
	}
	now := l.Clock.Now()
	record, err := l.Guard.Check(&wire.Event{Clock: now, Body: &wire.Event_Payment{Payment: p}})
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
		answer.Seq, answer.Epoch = tx.Append(record), tx.Epoch().String()
		return remember(tx, opPayment, p.GetIdempotencyKey(), body, now.GetWallUnixMs(), answer)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}
