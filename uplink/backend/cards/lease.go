package cards

import (
	"context"
	"crypto/rand"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// presentTTL is how long a lease lasts for a reward that is given now.
	presentTTL = 2 * time.Minute
	// foldWait is how long a request waits for what was stored before it to be folded.
	foldWait = time.Second
)

// Lease answers a request of a terminal. A right is granted when the card has the reward beyond what rights that are
// outstanding may take, and is on disk before Lease returns. Who asks again gets the lease that they have. The answer says
// nothing of the request's id.
func (x *Index) Lease(ctx context.Context, id identity.ID, r *wire.LeaseRequest) *wire.LeaseAnswer {
	refuse := func(why wire.LeaseRefusal) *wire.LeaseAnswer { return &wire.LeaseAnswer{Refusal: why} }
	if len(r.GetAccountRef()) != len(loyalty.Ref{}) {
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_MALFORMED)
	}
	late, cancel := context.WithTimeout(ctx, foldWait)
	defer cancel()
	if err := x.await(late, x.Log.Head()); err != nil {
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_UNAVAILABLE)
	}
	ttl := presentTTL
	if r.GetAhead() {
		ttl = x.LeaseTTL
	}
	g, why, err := x.grant(id, loyalty.Ref(r.GetAccountRef()), r.GetProgrammeId(), r.GetRewardId(), ttl, true)
	if err != nil {
		x.Logger.Error().Err(err).Msg("cannot grant a lease")
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_UNAVAILABLE)
	}
	if g == nil {
		return refuse(why)
	}
	return &wire.LeaseAnswer{Lease: g.wire()}
}

// Leases returns a terminal's leases with numbers after one that it has, through another, and the number of its last one.
func (x *Index) Leases(id identity.ID, have, through uint64) (leases []*wire.Lease, last uint64, err error) {
	return x.book.after(id, have+1, through)
}

// grant grants one right, or returns why not. A terminal that has one gets it again when it has asked.
func (x *Index) grant(id identity.ID, ref loyalty.Ref, programme, reward string, ttl time.Duration, asked bool) (*grant, wire.LeaseRefusal, error) {
	rules, err := x.Programmes.Set(id.Merchant)
	if err != nil {
		return nil, 0, err
	}
	p, ok := rules.Programme(programme)
	if !ok {
		return nil, wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_PROGRAMME, nil
	}
	tier, ok := p.Reward(reward)
	if !ok {
		return nil, wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_REWARD, nil
	}
	x.granting.Lock()
	defer x.granting.Unlock()
	a, err := x.account(id.Merchant, ref, programme)
	if err != nil {
		return nil, 0, err
	}
	if a.Erased {
		return nil, wire.LeaseRefusal_LEASE_REFUSAL_ACCOUNT_ERASED, nil
	}
	others, err := x.book.outstanding(id.Merchant, programme, append(a.Members, a.Ref))
	if err != nil {
		return nil, 0, err
	}
	left, now := max(a.Stamps, 0)-a.Spent, x.Now()
	for _, g := range others {
		switch own := g.Terminal == id.Terminal; {
		case own && g.Until <= now.UnixMilli():
			continue // it knows that the lease is over
		case own && !asked:
			return nil, wire.LeaseRefusal_LEASE_REFUSAL_LEASED, nil
		case own && g.Cost >= tier.Stamps:
			g.TTL = g.Until - now.UnixMilli()
			return g, 0, nil
		}
		left -= int64(g.left()) * int64(g.Cost)
	}
	switch {
	case loyalty.AvailableOf(tier, a) < 1:
		return nil, wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE, nil
	case left < int64(tier.Stamps):
		return nil, wire.LeaseRefusal_LEASE_REFUSAL_LEASED, nil
	}
	g := &grant{
		Merchant: id.Merchant, Terminal: id.Terminal, Account: a.Ref, Program: programme, Reward: tier.ID, Cost: tier.Stamps,
		Rights: 1, Until: now.Add(ttl).UnixMilli(), TTL: ttl.Milliseconds(),
	}
	rand.Read(g.ID[:])
	if err := x.book.store(g); err != nil {
		return nil, 0, err
	}
	return g, 0, nil
}

// account returns what an account comes to for a programme.
func (x *Index) account(merchant string, ref loyalty.Ref, programme string) (loyalty.Account, error) {
	var reading loyalty.Reading
	err := x.db.View(func(tx *bolt.Tx) (err error) {
		reading, err = loyalty.Gather(ref, newAccounts(tx, merchant).load(programme))
		return err
	})
	return reading.Account, err
}
