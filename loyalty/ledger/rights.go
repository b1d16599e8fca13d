package ledger

import (
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// Rights is how many rewards the terminal may give without asking the backend.
type Rights struct {
	Leased   int64          // by leases that can be used now, of all accounts
	Until    loyalty.Moment // when the last of them ends; not known when there is none
	Unusable int64          // by leases that can't be used as long as nobody knows what time it is
	Floor    int64          // without a lease, by the programme's floor
}

// Rights returns how many rewards the terminal may give without asking the backend. It looks at every lease.
//
// Errors: the causes of package buffer.
func (l *Ledger) Rights() (r Rights, err error) {
	in, err := l.inForce()
	if err != nil {
		return r, err
	}
	clock := l.Clock.Now()
	now := nowOf(clock, nil)
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		r = Rights{}
		r.Floor = l.open(tx, nil, in, clock).floorLeft()
		return tx.Scan(buffer.Keys, []byte{byte(opLeases)}, func(key, row []byte) error {
			if len(key) != len(leasesKey(loyalty.Ref{})) {
				return nil
			}
			list, err := parseLeases(row, loyalty.Ref(key[1:]), l.Terminal)
			if err != nil {
				return nil // a row that can't be read is worth no redemption
			}
			for _, s := range list {
				if s.programme == in.ID {
					r.add(s.Lease, now)
				}
			}
			return nil
		})
	})
	return r, err
}

// add adds what a lease allows now.
func (r *Rights) add(s loyalty.Lease, now loyalty.Now) {
	switch s.Usable(now) {
	case "":
		r.Leased += int64(s.Left())
		if !r.Until.Known || s.Until.UnixMs > r.Until.UnixMs {
			r.Until = s.Until
		}
	case loyalty.RefusedLeaseAfterReboot:
		r.Unusable += int64(s.Left())
	}
}

// floorLeft returns how many rewards the floor still allows, to somebody who had none today.
func (b *book) floorLeft() int64 {
	if b.FloorTotal <= 0 {
		return 0
	}
	given := int64(0)
	for _, f := range b.floor() {
		if b.l.unconfirmed(f.id) {
			given++
		}
	}
	return max(int64(b.FloorTotal)-given, 0)
}
