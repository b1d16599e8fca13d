package ledger

import (
	"errors"
	"strings"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/phone"
	"github.com/stampd/stampd/pci"
)

// named is a reference under one of the merchant's keys.
type named struct {
	ref   loyalty.Ref
	keyID []byte
}

// who is somebody that a caller named, by phone or by a payment card: under the present key first, then under those that the
// merchant had before, the newest first.
type who struct {
	field string // of the request, for what is wrong with it
	phone []named
	card  []named // set when there is no phone
}

// names returns what the caller said, under each key.
func (w who) names() []named {
	if len(w.phone) > 0 {
		return w.phone
	}
	return w.card
}

// hint says how a member is named.
const hintMember = "send the member's phone number, such as +14155551234, or a linked payment card's PAR or token"

// who returns whom a caller named. prefix is what precedes the fields' names.
func (l *Ledger) who(prefix, typed, par, token string) (w who, err error) {
	switch {
	case typed != "":
		w.field = prefix + "phone"
		w.phone, err = l.phone(w.field, typed)
	case par != "" || token != "":
		w.field = prefix + "par"
		if par == "" {
			w.field = prefix + "token"
		}
		w.card, err = l.paymentCard(prefix, par, token)
	default:
		err = &Invalid{Field: prefix + "phone", Reason: ReasonMissing, Hint: hintMember}
	}
	return w, err
}

// phone returns the references of the phone number that somebody typed.
func (l *Ledger) phone(field, typed string) ([]named, error) {
	if typed == "" {
		return nil, &Invalid{Field: field, Reason: ReasonMissing, Hint: "send the member's phone number, such as +14155551234"}
	}
	if l.Refs == nil {
		return nil, ErrNoMemberKey
	}
	number, err := phone.Normalise(typed, l.Region)
	if refused, ok := errors.AsType[phone.Refusal](err); ok {
		return nil, &Invalid{Field: field, Reason: strings.ToUpper(string(refused)), Hint: refused.Error() + "; such as +14155551234"}
	}
	return l.underEachKey(func(k *pci.RefKey) ([]byte, error) { return k.Account(number) })
}

// paymentCard returns the references of a payment card.
func (l *Ledger) paymentCard(prefix, par, token string) ([]named, error) {
	if l.Refs == nil {
		return nil, ErrNoMemberKey
	}
	names, err := l.underEachKey(func(k *pci.RefKey) ([]byte, error) { return k.Card(par, token) })
	if v, ok := errors.AsType[*pci.Violation](err); ok {
		v.Field = prefix + v.Field
	}
	if errors.Is(err, pci.ErrCard) && par != "" {
		return nil, &Invalid{Field: prefix + "par", Reason: ReasonFormat, Hint: "send 29 capital letters or digits"}
	}
	if errors.Is(err, pci.ErrCard) {
		return nil, &Invalid{Field: prefix + "token", Reason: ReasonFormat, Hint: "send up to 64 printable ASCII characters that are not all digits"}
	}
	return names, err
}

func (l *Ledger) underEachKey(ref func(*pci.RefKey) ([]byte, error)) ([]named, error) {
	var names []named
	for _, k := range append([]*pci.RefKey{l.Refs}, l.FormerRefs...) {
		b, err := ref(k)
		if err != nil {
			return nil, err
		}
		names = append(names, named{loyalty.Ref(b), k.KeyID()})
	}
	return names, nil
}

// found is a member as a book knows them.
type found struct {
	named
	former []named // accounts of the same member under former keys that have a row, and are not merged with this one
	erased bool
	known  bool // there is a row
}

// find returns the member that somebody named. Who is named by a payment card that is nobody's is [RefusedNotLinked].
func (b *book) find(w who) (f found, err error) {
	if len(w.phone) > 0 {
		return b.holder(w.phone)
	}
	for _, c := range w.card {
		row, err := b.stored(c.ref)
		if err != nil {
			return f, err
		}
		if owner := b.ownerIn(row, c.ref); owner != (loyalty.Ref{}) {
			// Card and account were named under one key.
			return b.holder([]named{{owner, c.keyID}})
		}
	}
	return f, &Refused{Reason: RefusedNotLinked, Field: w.field}
}

// holder returns the member with these names.
func (b *book) holder(names []named) (f found, err error) {
	f.named = names[0]
	for i, n := range names {
		row, err := b.stored(n.ref)
		if err != nil {
			return f, err
		}
		f.erased = f.erased || row.Erased
		if isEmpty(row) {
			continue
		}
		f.known = true
		if i > 0 && !row.Erased {
			f.former = append(f.former, n)
		}
	}
	if len(f.former) == 0 || f.erased {
		return f, nil
	}
	present, err := b.read(f.ref)
	if err != nil {
		return f, err
	}
	f.former = unmerged(f.former, present.Account)
	return f, nil
}

// unmerged returns those of the names that are not in the account.
func unmerged(names []named, a loyalty.Account) (rest []named) {
	for _, n := range names {
		in := n.ref == a.Ref
		for _, m := range a.Members {
			in = in || n.ref == m
		}
		if !in {
			rest = append(rest, n)
		}
	}
	return rest
}

// isEmpty reports whether a row says nothing.
func isEmpty(r loyalty.Row) bool {
	return !r.Erased && r.AsOf == 0 && len(r.Open) == 0 && len(r.Members) == 0 && r.To == (loyalty.Ref{}) && r.Closed == (loyalty.Sums{})
}

// join lets the member's accounts under former keys be read as one with the present one.
func (b *book) join(f found) {
	for _, n := range f.former {
		if b.joined == nil {
			b.joined = map[loyalty.Ref][]loyalty.Ref{}
		}
		b.joined[f.ref] = append(b.joined[f.ref], n.ref)
	}
}
