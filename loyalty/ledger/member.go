package ledger

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// EnrolMember makes a phone number a member's, and records what they agreed to.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) EnrolMember(ctx context.Context, req *wire.EnrolMemberRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	if err := checkConsents(req.GetConsents()); err != nil {
		return nil, err
	}
	w, err := l.who("", req.GetPhone(), "", "")
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Phone = ""
	r, err := newRequest(opEnrol, req.GetIdempotencyKey(), asked, w)
	if err != nil {
		return nil, err
	}
	operator := func(s *wire.Stamp) { s.OperatorRef = req.GetOperatorRef() }
	return l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		f, err := b.member(w)
		if err != nil {
			return e, err
		}
		before, err := b.read(f.ref)
		if err != nil {
			return e, err
		}
		answer.Already = before.Account.Enrolled
		if e, err = b.enter(f.named, req.GetIdempotencyKey(), loyalty.Enrol{}, operator); err != nil {
			return e, err
		}
		for _, c := range req.GetConsents() {
			if _, err := b.consent(f.named, "", c, true, operator); err != nil {
				return e, err
			}
		}
		answer.Card, err = b.show(f.ref)
		return e, err
	})
}

// SetConsent records that a member agreed to a use of their data, or no longer does.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) SetConsent(ctx context.Context, req *wire.SetConsentRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	if req.GetConsent() == nil {
		return nil, &Invalid{"consent", ReasonMissing, "say for what, and how it was asked"}
	}
	if req.Granted == nil {
		return nil, &Invalid{"granted", ReasonMissing, "say true or false"}
	}
	if err := checkConsent("consent", req.GetConsent()); err != nil {
		return nil, err
	}
	w, err := l.memberOf("member", req.GetMember())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Member = nil
	r, err := newRequest(opConsent, req.GetIdempotencyKey(), asked, w)
	if err != nil {
		return nil, err
	}
	return l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		f, err := b.member(w)
		if err != nil {
			return e, err
		}
		before, err := b.read(f.ref)
		if err != nil {
			return e, err
		}
		state := loyalty.ConsentRevoked
		if req.GetGranted() {
			state = loyalty.ConsentGranted
		}
		answer.Already = before.Account.Consent(loyalty.Purpose(req.GetConsent().GetPurpose())) == state
		e, err = b.consent(f.named, req.GetIdempotencyKey(), req.GetConsent(), req.GetGranted(), func(s *wire.Stamp) { s.OperatorRef = req.GetOperatorRef() })
		if err == nil {
			answer.Card, err = b.show(f.ref)
		}
		return e, err
	})
}

// consent records one consent.
func (b *book) consent(m named, key string, c *wire.Consent, granted bool, more func(*wire.Stamp)) (loyalty.Entry, error) {
	body := loyalty.Consent{Purpose: loyalty.Purpose(c.GetPurpose()), Granted: granted}
	copy(body.TextHash[:], c.GetTextSha256())
	return b.enter(m, key, body, func(s *wire.Stamp) {
		s.Consent = c
		more(s)
	})
}

// MergeMembers makes two members one.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) MergeMembers(ctx context.Context, req *wire.MergeMembersRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	one, err := l.memberOf("member", req.GetMember())
	if err != nil {
		return nil, err
	}
	other, err := l.memberOf("other", req.GetOther())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Member, asked.Other = nil, nil
	r, err := newRequest(opMerge, req.GetIdempotencyKey(), asked, one, other)
	if err != nil {
		return nil, err
	}
	return l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		f, err := b.member(one)
		if err != nil {
			return e, err
		}
		o, err := b.member(other)
		if err != nil {
			return e, err
		}
		if f.ref == o.ref {
			return e, &Invalid{"other", ReasonFormat, "name another member"}
		}
		before, err := b.read(f.ref)
		if err != nil {
			return e, err
		}
		answer.Already = len(unmerged([]named{o.named}, before.Account)) == 0
		e, err = b.enter(f.named, req.GetIdempotencyKey(), loyalty.Merge{Other: o.ref}, func(s *wire.Stamp) {
			s.OtherAccountKeyId, s.OperatorRef = o.keyID, req.GetOperatorRef()
		})
		if err == nil {
			answer.Card, err = b.show(f.ref)
		}
		return e, err
	})
}

// checkCall checks what all calls about a member have.
func checkCall(key, operator string) error {
	if err := checkKey("idempotency_key", key); err != nil {
		return err
	}
	return checkTexts(text{"operator_ref", operator, 64})
}

func checkConsents(list []*wire.Consent) error {
	asked := map[wire.ConsentPurpose]bool{}
	for _, c := range list {
		if err := checkConsent("consents", c); err != nil {
			return err
		}
		if asked[c.GetPurpose()] {
			return &Invalid{"consents.purpose", ReasonRange, "send each purpose once"}
		}
		asked[c.GetPurpose()] = true
	}
	return nil
}

func checkConsent(field string, c *wire.Consent) error {
	if err := checkEnums(c.ProtoReflect(), field); err != nil {
		return err
	}
	if c.GetPurpose() == wire.ConsentPurpose_CONSENT_PURPOSE_UNSPECIFIED {
		return &Invalid{field + ".purpose", ReasonMissing, "say for what, such as CONSENT_PURPOSE_LOYALTY"}
	}
	if n := len(c.GetTextSha256()); n != 0 && n != len(loyalty.Ref{}) {
		return &Invalid{field + ".text_sha256", ReasonFormat, "send the 32 bytes of the text's SHA-256"}
	}
	if !upTo(35, func(b byte) bool { return alphanumeric(b) || b == '-' })(c.GetLanguage()) {
		return &Invalid{field + ".language", ReasonFormat, "send a BCP 47 tag, such as de-AT"}
	}
	return nil
}
