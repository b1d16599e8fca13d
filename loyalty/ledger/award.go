package ledger

import (
	"context"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// AwardStamps gives stamps to a member's card. When it returns without error, the entry, the card and the key are on
// disk together. The same key with the same body gives the same answer again and stores nothing. An award that the programme
// forbids is recorded as refused; the *[Refused] says so, and is the answer to its key from then on.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) AwardStamps(ctx context.Context, req *wire.AwardStampsRequest) (*wire.AwardStampsResponse, error) {
	in, err := l.inForce()
	if err != nil {
		return nil, err
	}
	if err := checkAward(req, in.MaxStampsPerPurchase); err != nil {
		return nil, err
	}
	w, err := l.who("", req.GetPhone(), req.GetPar(), req.GetToken())
	if err != nil {
		return nil, err
	}
	a := &award{req: req, who: w, book: l.open(nil, nil, in, l.Clock.Now()), stamps: stampsFor(in, req)}
	if a.call, err = awardCall(req, w); err != nil {
		return nil, err
	}
	// What is recorded of most awards is known before, and looked at before others wait for it.
	if a.ready, err = a.draftOf(w.names()[0], false); err != nil {
		return nil, err
	}
	err = l.Queue.Update(ctx, a.make)
	switch {
	case err != nil:
		return nil, err
	case a.refused != nil:
		return nil, a.refused
	}
	return a.answer, nil
}

// award is one call of AwardStamps.
type award struct {
	req    *wire.AwardStampsRequest
	who    who
	call   request
	book   *book
	stamps int32 // what the purchase earns
	ready  pci.Clean

	answer  *wire.AwardStampsResponse
	refused *Refused
}

// make makes the award in a transaction.
func (a *award) make(tx *buffer.Tx) error {
	a.answer, a.refused = new(wire.AwardStampsResponse), nil
	b := a.book
	b.rows, b.tx, b.joined, b.seen = tx, tx, nil, nil
	if known, err := a.recall(tx); known || err != nil {
		return err
	}
	keep(tx, b.clock)
	f, err := b.member(a.who)
	if err != nil {
		return err
	}
	before, err := b.read(f.ref)
	if err != nil {
		return err
	}
	verdict := a.judge(before)
	if verdict.Reason != loyalty.ReasonNone {
		return a.refuse(f, verdict)
	}
	if before.Account.Stamps > math.MaxInt32-int64(a.stamps) {
		return &Invalid{Field: "stamps", Reason: ReasonRange, Hint: "the card can't hold more stamps"}
	}
	record := a.ready
	if verdict.Unverified || len(a.who.phone) == 0 {
		if record, err = a.draftOf(f.named, verdict.Unverified); err != nil {
			return err
		}
	}
	e, err := b.append(b.draft(f.named, a.req.GetIdempotencyKey(), a.body(verdict.Unverified)), record)
	if err != nil {
		return err
	}
	b.count(a.req)
	if a.answer.Card, err = b.show(f.ref); err != nil {
		return err
	}
	a.answer.Seq, a.answer.Epoch = e.ID.Seq, tx.Epoch().String()
	a.answer.Given, a.answer.VelocityUnverified = a.stamps, verdict.Unverified
	return a.call.remember(tx, b.clock.GetWallUnixMs(), loyalty.KindStamp, f.ref, a.answer)
}

// recall looks for the answer that was given before, be it a refusal.
func (a *award) recall(tx *buffer.Tx) (known bool, err error) {
	m, known, err := a.call.find(tx)
	switch {
	case err != nil:
		return false, err
	case !known && a.book.olderKeys:
		known, err = recallStamp(tx, a.req, a.who, a.answer)
	case !known:
	case m.kind == loyalty.KindRejected:
		told := new(wire.ErrorDetail)
		if proto.Unmarshal(m.answer, told) != nil {
			return false, errKeyRow
		}
		a.refused = &Refused{
			Reason: Refusal(told.GetReason()), RetryAfter: time.Duration(told.GetRetryAfterS()) * time.Second,
			Seq: told.GetSeq(), Epoch: told.GetEpoch(), Duplicate: true,
		}
	case proto.Unmarshal(m.answer, a.answer) != nil:
		return false, errKeyRow
	}
	a.answer.Duplicate = known
	return known, err
}

// judge says whether the programme allows the award.
func (a *award) judge(before loyalty.Reading) loyalty.Verdict {
	if a.stamps < 1 {
		return loyalty.Verdict{Reason: loyalty.ReasonMinimumSpend}
	}
	b := a.book
	now := nowOf(b.clock, b.zone)
	return loyalty.Judge(b.Programme, before.Visits, b.counts(a.req, now), now)
}

// refuse records that stamps were asked for and not given.
func (a *award) refuse(f found, v loyalty.Verdict) error {
	b := a.book
	body := loyalty.Rejected{Reason: v.Reason, RetryAfterS: uint32(v.RetryAfter / time.Second)}
	e, err := b.enter(f.named, a.req.GetIdempotencyKey(), body, func(s *wire.Stamp) {
		s.Stamps = a.stamps
		a.describe(s)
	})
	if err != nil {
		return err
	}
	a.refused = &Refused{Reason: refusalOf(v.Reason), RetryAfter: v.RetryAfter, Seq: e.ID.Seq, Epoch: b.tx.Epoch().String()}
	told := &wire.ErrorDetail{Reason: string(a.refused.Reason), Seq: e.ID.Seq, Epoch: a.refused.Epoch}
	if body.RetryAfterS > 0 {
		told.RetryAfterS = proto.Uint32(body.RetryAfterS)
	}
	return a.call.remember(b.tx, b.clock.GetWallUnixMs(), loyalty.KindRejected, f.ref, told)
}

// body returns what the entry does.
func (a *award) body(unverified bool) loyalty.Stamp {
	return loyalty.Stamp{
		Stamps: a.stamps, OrderRef: a.req.GetOrderRef(), PaymentKey: a.req.GetPaymentKey(), Operator: a.req.GetOperatorRef(),
		Unverified: unverified, Manual: a.req.GetManual(),
	}
}

// draftOf returns the record of the award to a member. One that earns nothing has none.
func (a *award) draftOf(m named, unverified bool) (pci.Clean, error) {
	e := a.book.draft(m, a.req.GetIdempotencyKey(), a.body(unverified))
	return a.book.record(e, m, a.describe)
}

// describe adds what an entry does not have.
func (a *award) describe(s *wire.Stamp) {
	s.OrderRef, s.PaymentKey, s.OperatorRef, s.Manual = a.req.GetOrderRef(), a.req.GetPaymentKey(), a.req.GetOperatorRef(), a.req.GetManual()
	s.SpendMinor, s.SpendCurrency = a.req.SpendMinor, a.req.GetSpendCurrency()
}

// stampsFor returns the stamps that are given: what the caller says, or else what the programme gives for the purchase.
func stampsFor(in rules, req *wire.AwardStampsRequest) int32 {
	if req.Stamps != nil {
		return req.GetStamps()
	}
	return in.Earned(loyalty.Purchase{Currency: req.GetSpendCurrency(), Minor: req.GetSpendMinor(), Items: req.GetItems()})
}
