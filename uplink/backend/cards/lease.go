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
	// recallWait is how long a request may take in all when rights are recalled for it. The terminal waits for 2 s.
	recallWait = 1500 * time.Millisecond
	// foldWait is how long a request waits for what was stored before it to be folded.
	foldWait = time.Second
)

// wish is what a right is wanted for.
type wish struct {
	id                identity.ID
	account           loyalty.Ref
	programme, reward string
	now               bool // the reward is given now
	unasked           bool // the terminal has not asked
}

// verdict is what came of a wish.
type verdict struct {
	grant   *grant            // nil: refused
	refusal wire.LeaseRefusal // why
	holders []*grant          // leases of other terminals that are in the way, and that it helps to recall
}

// Lease answers a request of a terminal. A right is granted when the card has the reward beyond what rights that are
// outstanding may take, and is on disk before Lease returns. For a reward that is given now, rights are recalled from other
// terminals that are connected; it waits for them for a moment. Who asks again gets the lease that they have. The answer
// says nothing of the request's id.
func (x *Index) Lease(ctx context.Context, id identity.ID, r *wire.LeaseRequest) *wire.LeaseAnswer {
	refuse := func(why wire.LeaseRefusal) *wire.LeaseAnswer { return &wire.LeaseAnswer{Refusal: why} }
	if len(r.GetAccountRef()) != len(loyalty.Ref{}) {
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_MALFORMED)
	}
	patient, cancel := context.WithTimeout(ctx, recallWait)
	defer cancel()
	late, cancel := context.WithTimeout(ctx, foldWait)
	defer cancel()
	if err := x.await(late, x.Log.Head()); err != nil {
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_UNAVAILABLE)
	}
	v, err := x.fulfil(patient, wish{
		id: id, account: loyalty.Ref(r.GetAccountRef()), programme: r.GetProgrammeId(), reward: r.GetRewardId(), now: !r.GetAhead(),
	})
	if err != nil {
		x.Logger.Error().Err(err).Msg("cannot grant a lease")
		return refuse(wire.LeaseRefusal_LEASE_REFUSAL_UNAVAILABLE)
	}
	if v.grant == nil {
		return refuse(v.refusal)
	}
	return &wire.LeaseAnswer{Lease: v.grant.wire()}
}

// Leases returns a terminal's leases with numbers after one that it has, through another, and the number of its last one.
func (x *Index) Leases(id identity.ID, have, through uint64) (leases []*wire.Lease, last uint64, err error) {
	return x.book.after(id, have+1, through)
}

// grant grants one right, or says why not. A terminal that has one gets it again when it has asked.
func (x *Index) grant(w wish) (verdict, error) {
	rules, err := x.Programmes.Set(w.id.Merchant)
	if err != nil {
		return verdict{}, err
	}
	p, ok := rules.Programme(w.programme)
	if !ok {
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_PROGRAMME}, nil
	}
	tier, ok := p.Reward(w.reward)
	if !ok {
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_REWARD}, nil
	}
	x.granting.Lock()
	defer x.granting.Unlock()
	a, err := x.account(w.id.Merchant, w.account, w.programme)
	if err != nil {
		return verdict{}, err
	}
	if a.Erased {
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_ACCOUNT_ERASED}, nil
	}
	others, err := x.book.outstanding(w.id.Merchant, w.programme, append(a.Members, a.Ref))
	if err != nil {
		return verdict{}, err
	}
	left, now := max(a.Stamps, 0)-a.Spent, x.Now()
	back, holders := int64(0), []*grant(nil)
	for _, g := range others {
		switch own := g.Terminal == w.id.Terminal; {
		case own && g.Until <= now.UnixMilli():
			continue // it knows that the lease is over
		case own && w.unasked:
			return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_LEASED}, nil
		case own && g.Cost >= tier.Stamps:
			return x.again(g, w, now)
		case !own && w.now && x.recallable(g, now):
			back, holders = back+int64(g.left())*int64(g.Cost), append(holders, g)
		}
		left -= int64(g.left()) * int64(g.Cost)
	}
	switch {
	case loyalty.AvailableOf(tier, a) < 1:
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE}, nil
	case left+back < int64(tier.Stamps):
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_LEASED}, nil
	case left < int64(tier.Stamps):
		return verdict{refusal: wire.LeaseRefusal_LEASE_REFUSAL_LEASED, holders: holders}, nil
	}
	g := &grant{
		Merchant: w.id.Merchant, Terminal: w.id.Terminal, Account: a.Ref, Program: w.programme, Reward: tier.ID, Cost: tier.Stamps, Rights: 1,
	}
	ttl := x.LeaseTTL
	if w.now {
		ttl, g.Asked = presentTTL, now.UnixMilli()
	}
	g.Until, g.TTL = now.Add(ttl).UnixMilli(), ttl.Milliseconds()
	rand.Read(g.ID[:])
	if err := x.book.store(g); err != nil {
		return verdict{}, err
	}
	return verdict{grant: g}, nil
}

// again grants the lease that a terminal has. x.granting is held.
func (x *Index) again(g *grant, w wish, now time.Time) (verdict, error) {
	if w.now {
		g.Asked = now.UnixMilli()
		if err := x.book.store(g); err != nil {
			return verdict{}, err
		}
	}
	g.TTL = g.Until - now.UnixMilli()
	return verdict{grant: g}, nil
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
