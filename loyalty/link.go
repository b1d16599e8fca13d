package loyalty

import "slices"

// CardLink is whose a payment card is.
type CardLink struct {
	Account Ref   // zero: nobody's
	Pending []Ref // accounts that it was linked to while it was another's, unconfirmed, in order
	Tried   int   // how many accounts it was ever linked to, pending ones included; many is a sign of fraud
}

// cardLinks replays what was said of each payment card, by order: the first account to be linked has it, until it is
// unlinked or another link is confirmed. Accounts are told apart by their refs, merged or not. Cards of erased accounts
// are nobody's.
func (f *fold) cardLinks() map[Ref]CardLink {
	cards := map[Ref]CardLink{}
	tried := map[[2]Ref]struct{}{}
	for _, i := range f.links {
		e := &f.entries[i]
		switch b := e.Body.(type) {
		case Unlink:
			c := cards[b.Card]
			c.Account = Ref{}
			cards[b.Card] = c
		case Link:
			c, pending := cards[b.Card].linked(e.Account, b.Confirmed)
			if pending {
				f.flag(i, FlagLinkPending)
			}
			tried[[2]Ref{b.Card, e.Account}] = struct{}{}
			cards[b.Card] = c
		}
	}
	for pair := range tried {
		c := cards[pair[0]]
		c.Tried++
		cards[pair[0]] = c
	}
	for card, c := range cards {
		if f.erasedAccount(c.Account) {
			c.Account = Ref{}
		}
		c.Pending = slices.DeleteFunc(c.Pending, f.erasedAccount)
		if len(c.Pending) == 0 {
			c.Pending = nil
		}
		cards[card] = c
	}
	return cards
}

// linked returns the link after the account was linked, and whether that is pending.
func (c CardLink) linked(account Ref, confirmed bool) (CardLink, bool) {
	at := slices.Index(c.Pending, account)
	if c.Account != (Ref{}) && c.Account != account && !confirmed {
		if at < 0 {
			c.Pending = append(c.Pending, account)
		}
		return c, true
	}
	if at >= 0 {
		c.Pending = slices.Delete(c.Pending, at, at+1)
	}
	c.Account = account
	return c, false
}

func (f *fold) erasedAccount(r Ref) bool {
	i, ok := f.groups.byRef[r]
	return ok && f.groups.erased[f.groups.root(i)]
}
