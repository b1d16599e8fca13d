package ledger

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// RedeemReward gives a reward, or sets stamps aside for one. The backend is asked, when it can be; else a lease of this terminal
// or the programme's floor decides, and the answer and the entry say which. What is not given is not recorded.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) RedeemReward(ctx context.Context, req *wire.RedeemRewardRequest) (*wire.EntryResponse, error) {
	in, err := l.inForce()
	if err != nil {
		return nil, err
	}
	reward, err := checkRedeem(req, in)
	if err != nil {
		return nil, err
	}
	w, err := l.memberOf("member", req.GetMember())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Member = nil
	r, err := newRequest(opRedeem, req.GetIdempotencyKey(), asked, w)
	if err != nil {
		return nil, err
	}
	redeem := redemption{req: req, who: w, reward: reward}
	if !req.GetHold() {
		if redeem.said, err = l.confirm(ctx, r, redeem, in); err != nil {
			return nil, err
		}
	}
	return l.entry(ctx, r, redeem.make)
}

func checkRedeem(req *wire.RedeemRewardRequest, in rules) (loyalty.Reward, error) {
	if err := checkKey("idempotency_key", req.GetIdempotencyKey()); err != nil {
		return loyalty.Reward{}, err
	}
	if err := checkTexts(
		text{"reward_id", req.GetRewardId(), 64}, text{"hold_key", req.GetHoldKey(), 128},
		text{"operator_ref", req.GetOperatorRef(), 64}, text{"order_ref", req.GetOrderRef(), 64},
	); err != nil {
		return loyalty.Reward{}, err
	}
	if req.GetHold() && req.GetHoldKey() != "" {
		return loyalty.Reward{}, &Invalid{"hold_key", ReasonFormat, "leave it out of a call that sets stamps aside"}
	}
	reward, ok := in.Reward(req.GetRewardId())
	if !ok {
		return loyalty.Reward{}, &Invalid{"reward_id", ReasonUnknown, "send the id of a reward of the programme, or none for the cheapest"}
	}
	return reward, nil
}

// memberOf returns whom a request names.
func (l *Ledger) memberOf(field string, m *wire.Member) (who, error) {
	return l.who(field+".", m.GetPhone(), m.GetPar(), m.GetToken())
}

// confirmation is what the backend said to a redemption.
type confirmation struct {
	lease   loyalty.LeaseID // the one it granted; zero: none
	refused Refusal         // what it has against it; empty: nothing
	failure wire.ConfirmFailure
}

// confirmPatience is how long the backend is waited for.
const confirmPatience = 2 * time.Second

// confirm asks the backend, unless the call was made before.
func (l *Ledger) confirm(ctx context.Context, r request, redeem redemption, in rules) (c confirmation, err error) {
	c.failure = wire.ConfirmFailure_CONFIRM_FAILURE_OFFLINE
	if l.Ask == nil || !l.Online() {
		return c, nil
	}
	var about loyalty.Ref
	known := false
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		if known = tx.Get(buffer.Keys, keyRow(r.op, r.key)) != nil; known {
			return nil
		}
		b := l.open(tx, nil, in, l.Clock.Now())
		f, err := b.find(redeem.who)
		if err != nil {
			return err
		}
		b.join(f) // what the backend knows the member by, when that is a former key
		read, err := b.read(f.ref)
		about = read.Account.Ref
		return err
	})
	if err != nil || known || about == (loyalty.Ref{}) {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, confirmPatience)
	defer cancel()
	answer, err := l.Ask(ctx, &wire.LeaseRequest{AccountRef: about[:], ProgrammeId: in.ID, RewardId: redeem.reward.ID})
	if err != nil {
		c.failure = wire.ConfirmFailure_CONFIRM_FAILURE_NO_ANSWER
		return c, nil
	}
	return said(answer), nil
}

// said returns what an answer of the backend means.
func said(answer *wire.LeaseAnswer) (c confirmation) {
	if id := answer.GetLease().GetId(); len(id) == len(c.lease) {
		c.lease = loyalty.LeaseID(id)
		return c
	}
	switch answer.GetRefusal() {
	case wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE:
		c.refused = RefusedNothingAvailable
	case wire.LeaseRefusal_LEASE_REFUSAL_LEASED:
		c.refused = RefusedLeasedElsewhere
	case wire.LeaseRefusal_LEASE_REFUSAL_ACCOUNT_ERASED:
		c.refused = RefusedErased
	default:
		c.failure = wire.ConfirmFailure_CONFIRM_FAILURE_NO_ANSWER
	}
	return c
}

// redemption is one call of RedeemReward.
type redemption struct {
	req    *wire.RedeemRewardRequest
	who    who
	reward loyalty.Reward
	said   confirmation
}

// make makes the hold or the redemption.
func (d redemption) make(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
	f, err := b.member(d.who)
	if err != nil {
		return e, err
	}
	read, err := b.read(f.ref)
	if err != nil {
		return e, err
	}
	if d.req.GetHold() {
		e, err = d.hold(b, f, read.Account)
	} else {
		e, err = d.give(b, f, read.Account, answer)
	}
	if err == nil {
		answer.Card, err = b.show(f.ref)
	}
	return e, err
}

func (d redemption) describe(s *wire.Stamp) {
	s.OperatorRef, s.OrderRef = d.req.GetOperatorRef(), d.req.GetOrderRef()
}

func (d redemption) hold(b *book, f found, a loyalty.Account) (e loyalty.Entry, err error) {
	if loyalty.AvailableOf(d.reward, a) < 1 {
		return e, &Refused{Reason: RefusedNothingAvailable}
	}
	return b.enter(f.named, d.req.GetIdempotencyKey(), loyalty.Hold{Reward: d.reward.ID, Stamps: d.reward.Stamps}, d.describe)
}

// give gives the reward by the best right that there is.
func (d redemption) give(b *book, f found, a loyalty.Account, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
	body := loyalty.Redeem{Reward: d.reward.ID, Stamps: d.reward.Stamps}
	if d.req.GetHoldKey() != "" {
		if body, err = b.held(d.req.GetHoldKey(), f.ref, d.reward); err != nil {
			return e, err
		}
		a.Spent -= int64(body.Stamps) // what was set aside is there for it
	}
	right, used, err := d.decide(b, a)
	if err != nil {
		return e, err
	}
	body.Right = right
	if used != nil {
		body.Lease = used.ID
	}
	e, err = b.enter(f.named, d.req.GetIdempotencyKey(), body, d.describe)
	if err != nil {
		return e, err
	}
	switch {
	case used != nil:
		err = b.spend(*used)
	case right == loyalty.ByFloor:
		b.noteFloor(a.Ref, e)
	}
	answer.Right = wire.RedeemRight(right)
	if right != loyalty.ByBackend {
		answer.NotConfirmed = d.said.failure
	}
	return e, err
}

// decide says by what right the reward may be given, and which lease it uses up.
func (d redemption) decide(b *book, a loyalty.Account) (loyalty.Right, *lease, error) {
	leases, err := b.leasesOf(a, d.reward)
	if err != nil {
		return 0, nil, err
	}
	for i := range leases {
		switch {
		case leases[i].ID != d.said.lease:
		case leases[i].Left() > 0:
			return loyalty.ByBackend, &leases[i], nil
		default:
			d.said.refused = RefusedLeasedElsewhere // it was recalled, or used by another call
		}
	}
	programme := b.Programme
	if d.said.refused != "" {
		programme.FloorPerAccountDay, programme.FloorTotal = 0, 0 // the backend was asked
	}
	now := nowOf(b.clock, b.zone)
	asked := loyalty.Redemption{Reward: d.reward.ID, Floor: b.floored(a.Ref)}
	verdict := loyalty.Decide(programme, a, asked, now)
	for i := range leases {
		of := leases[i].Lease
		of.Account = a.Ref // merged
		asked.Lease = &of
		verdict = loyalty.Decide(programme, a, asked, now)
		if verdict.Right == loyalty.ByLease {
			return loyalty.ByLease, &leases[i], nil
		}
	}
	switch {
	case verdict.Right != loyalty.RightUnknown:
		return verdict.Right, nil, nil
	case d.said.refused != "":
		return 0, nil, &Refused{Reason: d.said.refused}
	}
	return 0, nil, &Refused{Reason: refusalOfReward(verdict.Refusal)}
}

// held returns the redemption that uses up what an earlier call has set aside.
func (b *book) held(key string, ref loyalty.Ref, reward loyalty.Reward) (loyalty.Redeem, error) {
	unknown := &Refused{Reason: RefusedHoldUnknown, Field: "hold_key"}
	t, m, ok := b.madeBy(opRedeem, key)
	if !ok || m.kind != loyalty.KindHold {
		return loyalty.Redeem{}, unknown
	}
	family, err := b.family(ref)
	if err != nil {
		return loyalty.Redeem{}, err
	}
	var hold *loyalty.Hold
	for i := range family {
		if body, ok := family[i].Body.(loyalty.Hold); ok && family[i].ID == t.ID {
			hold = &body
		}
	}
	for i := range family {
		if named := targetOf(family[i].Body); named == t {
			hold = nil // released or used
		}
	}
	if hold == nil || hold.Reward != reward.ID {
		return loyalty.Redeem{}, unknown
	}
	return loyalty.Redeem{Reward: hold.Reward, Stamps: hold.Stamps, Hold: t}, nil
}

// madeBy returns the entry that a call on this terminal made.
func (b *book) madeBy(op operation, key string) (t loyalty.Target, m made, ok bool) {
	m, ok = parseMade(b.rows.Get(buffer.Keys, keyRow(op, key)))
	if !ok || m.kind == loyalty.KindRejected {
		return t, m, false
	}
	var answer interface {
		proto.Message
		GetSeq() uint64
		GetEpoch() string
	} = new(wire.EntryResponse)
	if op == opAward {
		answer = new(wire.AwardStampsResponse)
	}
	if proto.Unmarshal(m.answer, answer) != nil {
		return t, m, false
	}
	epoch, err := buffer.ParseEpoch(answer.GetEpoch())
	t.ID = loyalty.EntryID{Terminal: b.l.Terminal, Epoch: epoch, Seq: answer.GetSeq()}
	return t, m, err == nil
}
