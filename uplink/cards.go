package uplink

import (
	"context"

	"github.com/stampd/stampd/uplink/wire"
)

// Cards is where the terminal keeps what the backend sends of its merchant's cards and rules. The client calls it from one
// goroutine of each stream, one call at a time, in the order in which the backend sent, and checks the sizes that the
// schema states before. When Take… returns nil, the message is on disk, or was there before.
//
// An error ends the taking of cards on this stream, and nothing else: records and acks go on. What the terminal lacks then
// is sent on the next stream. Whoever finds that a message makes no sense has recorded it as an audit event by then.
type Cards interface {
	// Have returns what the terminal has. It is called once for each stream, before Hello.
	Have() (*wire.LoyaltyState, error)
	// TakeRows stores the rows of a message and its position in one transaction. log_id is always set.
	TakeRows(context.Context, *wire.CardRows) error
	// TakeProgrammes puts rules into force, in place of all that there are.
	TakeProgrammes(context.Context, *wire.Programmes) error
	// TakeLease stores a lease and its number, whether it was asked for or not. It may come more than once.
	TakeLease(context.Context, *wire.Lease) error
	// RecallLease records that what is left of a lease is given back, and uses it no more. It does nothing when the terminal
	// has no such lease, or nothing is left of it. It may come more than once.
	RecallLease(context.Context, *wire.LeaseRecall) error
}
