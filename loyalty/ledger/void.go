package ledger

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// VoidEntry takes back stamps, undoes a redemption or gives up a hold. One of an entry that is not known here waits for it.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) VoidEntry(ctx context.Context, req *wire.VoidEntryRequest) (*wire.EntryResponse, error) {
	v, err := l.checkVoid(req)
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Member = nil
	r, err := newRequest(opVoid, req.GetIdempotencyKey(), asked, v.who)
	if err != nil {
		return nil, err
	}
	if v.recorded, err = l.recorded(v.id); err != nil {
		return nil, err
	}
	return l.entry(ctx, r, v.make)
}

// void is one call of VoidEntry.
type void struct {
	req      *wire.VoidEntryRequest
	who      who             // nobody, when the caller does not say
	id       loyalty.EntryID // of the entry, when it is named by its number
	recorded *loyalty.Entry  // it, when its record is still here
}

func (l *Ledger) checkVoid(req *wire.VoidEntryRequest) (v void, err error) {
	v.req = req
	if err := checkKey("idempotency_key", req.GetIdempotencyKey()); err != nil {
		return v, err
	}
	if err := checkTexts(
		text{"award_key", req.GetAwardKey(), 128}, text{"redeem_key", req.GetRedeemKey(), 128},
		text{"terminal_id", req.GetTerminalId(), 64}, text{"operator_ref", req.GetOperatorRef(), 64},
	); err != nil {
		return v, err
	}
	named := 0
	for _, set := range []bool{req.GetAwardKey() != "", req.GetRedeemKey() != "", req.GetSeq() > 0} {
		if set {
			named++
		}
	}
	if named != 1 {
		return v, &Invalid{"award_key", ReasonMissing, "name the entry by award_key, redeem_key or seq: by one of them"}
	}
	if err := checkEnums(req.ProtoReflect(), "request"); err != nil {
		return v, err
	}
	switch req.GetKind() {
	case wire.StampKind_STAMP_KIND_UNSPECIFIED, wire.StampKind_STAMP_KIND_STAMP, wire.StampKind_STAMP_KIND_REWARD_HOLD, wire.StampKind_STAMP_KIND_REWARD_REDEEM:
	default:
		return v, &Invalid{"kind", ReasonUnknown, "send STAMP_KIND_STAMP, STAMP_KIND_REWARD_HOLD or STAMP_KIND_REWARD_REDEEM, or leave it out"}
	}
	if req.GetSeq() > 0 {
		epoch, err := buffer.ParseEpoch(req.GetEpoch())
		if err != nil {
			return v, &Invalid{"epoch", ReasonFormat, "send the 32 hexadecimal digits of the answer that named the number"}
		}
		v.id = loyalty.EntryID{Terminal: l.Terminal, Epoch: epoch, Seq: req.GetSeq()}
		if req.GetTerminalId() != "" {
			v.id.Terminal = req.GetTerminalId()
		}
	}
	if m := req.GetMember(); m.GetPhone() != "" || m.GetPar() != "" || m.GetToken() != "" {
		v.who, err = l.memberOf("member", m)
	}
	return v, err
}

// recorded returns the entry with a number of this terminal, or nil when its record is not here any more.
func (l *Ledger) recorded(id loyalty.EntryID) (*loyalty.Entry, error) {
	if id.Seq == 0 || id.Terminal != l.Terminal {
		return nil, nil
	}
	records, err := l.Queue.Read(buffer.LaneID{Lane: buffer.Ledger, Epoch: id.Epoch}, id.Seq, 1, 1<<20)
	if err != nil || len(records) == 0 || records[0].Seq != id.Seq {
		return nil, err
	}
	event := new(wire.Event)
	if proto.Unmarshal(records[0].Payload, event) != nil || event.GetStamp() == nil {
		return nil, nil
	}
	e, err := entry.FromWire(id, event.GetClock(), event.GetStamp())
	if err != nil {
		return nil, nil //nolint:nilerr // it is no entry that can be undone
	}
	return &e, nil
}

// make makes the entry that undoes the other one.
func (v void) make(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
	target, kind, holder, err := v.target(b)
	if err != nil {
		return e, err
	}
	var body loyalty.Body
	switch kind {
	case loyalty.KindStamp:
		body = loyalty.StampVoid{Target: target}
	case loyalty.KindHold:
		body = loyalty.Release{Target: target}
	case loyalty.KindRedeem:
		body = loyalty.Reverse{Target: target}
	default:
		return e, &Invalid{"kind", ReasonMissing, "say what the entry is: the terminal does not know it"}
	}
	e, err = b.enter(holder, v.req.GetIdempotencyKey(), body, func(s *wire.Stamp) {
		s.Reason, s.OperatorRef = v.req.GetReason(), v.req.GetOperatorRef()
	})
	if err != nil {
		return e, err
	}
	flags, err := b.flags(holder.ref, e.ID)
	if err != nil {
		return e, err
	}
	answer.Pending = flags.Has(loyalty.FlagPending)
	answer.Already = flags&(loyalty.FlagAlreadyVoided|loyalty.FlagAlreadyUndone|loyalty.FlagTooLate) != 0
	answer.Card, err = b.show(holder.ref)
	return e, err
}

// target returns the entry that is undone, of which kind it is, and whose.
func (v void) target(b *book) (t loyalty.Target, kind loyalty.Kind, holder named, err error) {
	kind = loyalty.Kind(v.req.GetKind())
	known, m := false, made{}
	switch {
	case v.req.GetAwardKey() != "":
		if t, m, known = b.madeBy(opAward, v.req.GetAwardKey()); !known {
			t = loyalty.Target{ID: loyalty.EntryID{Terminal: b.l.Terminal}, Key: v.req.GetAwardKey()}
			kind = loyalty.KindStamp
		}
	case v.req.GetRedeemKey() != "":
		if t, m, known = b.madeBy(opRedeem, v.req.GetRedeemKey()); !known {
			t = loyalty.Target{ID: loyalty.EntryID{Terminal: b.l.Terminal}, Key: v.req.GetRedeemKey()}
		}
	default:
		t = loyalty.Target{ID: v.id}
		if v.recorded != nil {
			m, known = made{kind: v.recorded.Body.Kind(), account: v.recorded.Account}, true
		}
	}
	if known {
		kind = m.kind
	}
	holder, err = v.holder(b, m.account)
	if err != nil || known {
		return t, kind, holder, err
	}
	family, err := b.family(holder.ref)
	for i := range family {
		if family[i].ID == t.ID {
			kind = family[i].Body.Kind()
		}
	}
	return t, kind, holder, err
}

// holder returns whose entry it is: as the terminal knows, or else as the caller says.
func (v void) holder(b *book, known loyalty.Ref) (named, error) {
	if known != (loyalty.Ref{}) {
		if b.erased(known) {
			return named{}, &Refused{Reason: RefusedErased}
		}
		return named{known, b.l.keyIDOf(known, v.who)}, nil
	}
	if len(v.who.names()) == 0 {
		return named{}, &Refused{Reason: RefusedEntryUnknown, Field: "member"}
	}
	f, err := b.member(v.who)
	return f.named, err
}

// keyIDOf returns the id of the key that an account was named under, where that is known: it is the present one, unless the
// caller's words say otherwise.
func (l *Ledger) keyIDOf(ref loyalty.Ref, w who) []byte {
	for _, n := range w.phone {
		if n.ref == ref {
			return n.keyID
		}
	}
	if l.Refs == nil || len(l.FormerRefs) > 0 {
		return nil // it may have been made before the key was changed
	}
	return l.Refs.KeyID()
}
