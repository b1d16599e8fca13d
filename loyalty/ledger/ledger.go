// Package ledger records payments and stamps on the terminal. The queue's record, the idempotency key with the answer
// that was given, and the change of the member's card are one transaction: all of them are on disk when a call returns
// without error, or none.
//
// The local API uses it, and the uplink hands it what the backend sends of cards, rules and leases. It checks what it is given
// field by field, passes every event through the guard, and neither sends anything nor decides on money: a payment that makes
// no sense to it is recorded as it was reported. What stamps come to and who may have a reward, package loyalty says.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// Causes by which a caller decides, beside [Invalid], [pci.Violation] and the causes of package buffer.
var (
	// ErrKeyReused: the idempotency key was used before, with another body. Nothing was written.
	ErrKeyReused = errors.New("idempotency key was used for another request")
	// ErrNoMemberKey: members can't be told apart, since the merchant's member key is missing.
	ErrNoMemberKey = errors.New("member key is missing")
)

// Options is what a ledger needs.
type Options struct {
	Queue     *buffer.Queue
	Guard     *pci.Guard
	Terminal  string            // the terminal's id: entries are named by it
	Programme loyalty.Programme // in force until the backend sends a version of it
	Refs      *pci.RefKey       // nil while the merchant's member key is missing
	Clock     *hal.Clock
	Online    func() bool // whether the uplink is up, as told in answers

	FormerRefs []*pci.RefKey // the keys that the merchant had before, the newest first: members are found under them too
	Region     string        // where phone numbers without a country code are dialled, one of phone.Regions; empty: nowhere

	// Ask asks the backend for the right to give a reward, for up to 2 s, as uplink.Client.RequestLease does. The lease is stored
	// when it returns. Nil: nobody can be asked.
	Ask func(context.Context, *wire.LeaseRequest) (*wire.LeaseAnswer, error)

	Limits   payment.Limits // what is watched of payments that are stored on the terminal
	KeepBIN6 bool           // the first six digits of a card's number are recorded
}

// Ledger records payments and stamps. It is safe for concurrent use.
type Ledger struct {
	Options
	current atomic.Pointer[rules] // those in force; nil: to be read
}

// New returns a ledger on the queue. It fails when the programme makes no sense, or the terminal has no id.
func New(o Options) (*Ledger, error) {
	if err := o.Programme.Check(); err != nil {
		return nil, fmt.Errorf("cannot open ledger: %w", err)
	}
	if o.Terminal == "" {
		return nil, errors.New("cannot open ledger: the terminal has no id")
	}
	return &Ledger{Options: o}, nil
}

// Audit records a security event.
func (l *Ledger) Audit(ctx context.Context, a *wire.Audit) error {
	record, err := l.Guard.Check(&wire.Event{Clock: l.Clock.Now(), Body: &wire.Event_Audit{Audit: a}})
	if err != nil {
		return err
	}
	return l.Queue.Update(ctx, func(tx *buffer.Tx) error { tx.Append(record); return nil })
}
