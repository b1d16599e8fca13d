package ledger

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// LinkCard lets a payment card stand for a member. The card of another member is pending until the link is confirmed.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) LinkCard(ctx context.Context, req *wire.LinkCardRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	holder, err := l.who("", req.GetPhone(), "", "")
	if err != nil {
		return nil, err
	}
	card, err := l.namedCard(req.GetPar(), req.GetToken())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Phone, asked.Par, asked.Token = "", "", ""
	r, err := newRequest(opLink, req.GetIdempotencyKey(), asked, holder, card)
	if err != nil {
		return nil, err
	}
	return l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		f, err := b.member(holder)
		if err != nil {
			return e, err
		}
		before, err := b.owner(card.card)
		if err != nil {
			return e, err
		}
		c := card.card[0]
		answer.Already = before == f.ref
		if before != (loyalty.Ref{}) && before != f.ref && !req.GetConfirmed() {
			if answer.Already, err = b.same(f.ref, before); err != nil {
				return e, err
			}
			answer.Pending = !answer.Already
		}
		e, err = b.enter(f.named, req.GetIdempotencyKey(), loyalty.Link{Card: c.ref, Confirmed: req.GetConfirmed()}, func(s *wire.Stamp) {
			s.CardKeyId, s.OperatorRef = c.keyID, req.GetOperatorRef()
		})
		if err == nil {
			answer.Card, err = b.show(f.ref)
		}
		return e, err
	})
}

// UnlinkCard lets a payment card stand for nobody, under each key that it is known by.
//
// Errors: *[Invalid], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) UnlinkCard(ctx context.Context, req *wire.UnlinkCardRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	card, err := l.namedCard(req.GetPar(), req.GetToken())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Par, asked.Token = "", ""
	r, err := newRequest(opUnlink, req.GetIdempotencyKey(), asked, card)
	if err != nil {
		return nil, err
	}
	return l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		before, err := b.owner(card.card)
		if err != nil {
			return e, err
		}
		answer.Already = before == loyalty.Ref{}
		for i, c := range card.card {
			row, err := b.stored(c.ref)
			if err != nil {
				return e, err
			}
			if i > 0 && isEmpty(row) {
				continue
			}
			key := ""
			if i == 0 {
				key = req.GetIdempotencyKey()
			}
			made, err := b.enter(named{}, key, loyalty.Unlink{Card: c.ref}, func(s *wire.Stamp) {
				s.CardKeyId, s.OperatorRef = c.keyID, req.GetOperatorRef()
			})
			if err != nil {
				return e, err
			}
			if i == 0 {
				e = made
			}
		}
		return e, nil
	})
}

// namedCard returns the payment card that a request names.
func (l *Ledger) namedCard(par, token string) (who, error) {
	if par == "" && token == "" {
		return who{}, &Invalid{Field: "par", Reason: ReasonMissing, Hint: "send the payment card's PAR, or the acquirer's token for it"}
	}
	return l.who("", "", par, token)
}

// owner returns the account that a payment card stands for, or none.
func (b *book) owner(names []named) (loyalty.Ref, error) {
	for _, c := range names {
		row, err := b.stored(c.ref)
		if err != nil {
			return loyalty.Ref{}, err
		}
		if to := b.ownerIn(row, c.ref); to != (loyalty.Ref{}) {
			return to, nil
		}
	}
	return loyalty.Ref{}, nil
}

// same reports whether two accounts are merged.
func (b *book) same(one, other loyalty.Ref) (bool, error) {
	r, err := b.read(one)
	return err == nil && len(unmerged([]named{{ref: other}}, r.Account)) == 0, err
}
