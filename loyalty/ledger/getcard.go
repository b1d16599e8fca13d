package ledger

import (
	"context"
	"errors"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// GetCard returns a member's card as this terminal knows it, and whether it knows the member.
//
// Errors: *[Invalid], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) GetCard(_ context.Context, req *wire.GetCardRequest) (*wire.GetCardResponse, error) {
	w, err := l.who("", req.GetPhone(), req.GetPar(), req.GetToken())
	if err != nil {
		return nil, err
	}
	in, err := l.inForce()
	if err != nil {
		return nil, err
	}
	var answer *wire.GetCardResponse
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		answer, err = l.open(tx, nil, in, l.Clock.Now()).look(w)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// look returns what is known of somebody.
func (b *book) look(w who) (*wire.GetCardResponse, error) {
	f, err := b.find(w)
	if refused := new(Refused); errors.As(err, &refused) {
		return &wire.GetCardResponse{Card: b.card(loyalty.Reading{}), State: wire.MemberState_MEMBER_STATE_UNKNOWN}, nil
	}
	if err != nil {
		return nil, err
	}
	b.join(f)
	r, err := b.read(f.ref)
	switch {
	case err != nil:
		return nil, err
	case f.erased || r.Account.Erased:
		return &wire.GetCardResponse{State: wire.MemberState_MEMBER_STATE_ERASED}, nil
	}
	answer := &wire.GetCardResponse{Card: b.card(r), State: wire.MemberState_MEMBER_STATE_UNKNOWN, Enrolled: r.Account.Enrolled}
	if f.known {
		answer.State = wire.MemberState_MEMBER_STATE_KNOWN
	}
	for _, p := range []loyalty.Purpose{loyalty.PurposeLoyalty, loyalty.PurposeSMSMarketing} {
		if said := r.Account.Consent(p); said != loyalty.ConsentUnknown {
			answer.Consents = append(answer.Consents, &wire.MemberConsent{
				Purpose: wire.ConsentPurpose(p), Granted: said == loyalty.ConsentGranted,
			})
		}
	}
	return answer, nil
}
