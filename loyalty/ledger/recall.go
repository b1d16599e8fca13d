package ledger

import (
	"context"
	"errors"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// RecallLease gives back what is left of a lease. When it returns without error, no reward is given by the lease any more, and
// that the rights were given back is recorded; both are on disk together. It does nothing when nothing is left of the lease, or
// there is none. What was set aside stays so.
//
// Errors: *[pci.Violation], and the causes of package buffer.
func (l *Ledger) RecallLease(ctx context.Context, m *wire.LeaseRecall) error {
	if len(m.GetId()) != len(loyalty.LeaseID{}) || len(m.GetAccountRef()) != accountSize {
		return l.refuseDownlink(ctx, "lease_recall", errors.New("cannot give back a lease that makes no sense"))
	}
	in, err := l.inForce()
	if err != nil {
		return err
	}
	now, ref := l.Clock.Now(), loyalty.Ref(m.GetAccountRef())
	return l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		b := l.open(tx, tx, in, now)
		list, err := b.leases(ref)
		if err != nil {
			return nil // a row that can't be read is worth no redemption
		}
		for i := range list {
			s := &list[i]
			left := s.Left()
			if s.ID != loyalty.LeaseID(m.GetId()) || left == 0 {
				continue
			}
			if s.Lease, err = s.Use(left); err != nil {
				return err
			}
			b.saveLeases(ref, list)
			return b.returned(*s, left)
		}
		return nil
	})
}

// returned records that rights of a lease were given back.
func (b *book) returned(s lease, rights int32) error {
	m := named{s.Account, b.l.keyIDOf(s.Account, who{})}
	e := b.draft(m, "", loyalty.LeaseReturn{Lease: s.ID, Rights: rights})
	e.Programme, e.Version = s.programme, 0
	if s.programme == b.ID {
		e.Version = b.Version
	}
	record, err := b.record(e, m, nil)
	if err != nil {
		return err
	}
	_, err = b.append(e, record)
	return err
}
