package loyalty

import (
	"slices"
	"sort"
)

// sum adds up what counts, by group.
func (f *fold) sum() {
	for i := range f.entries {
		if f.owner[i] == none || f.marks[i]&markOut != 0 {
			continue
		}
		a := &f.accounts[f.of(int32(i))]
		f.count(int32(i), &a.Sums, &a.Held)
	}
	for i, s := range f.closed {
		a := &f.accounts[f.groups.root(int32(i))]
		a.Sums = a.plus(s)
	}
}

// count adds what entry i counts for, which is not out.
func (f *fold) count(i int32, s *Sums, held *int32) {
	m := f.marks[i]
	switch b := f.entries[i].Body.(type) {
	case Stamp:
		if m&markVoided == 0 {
			s.Stamps += int64(b.Stamps)
		}
	case Adjust:
		s.Stamps += int64(b.Stamps)
	case Expire:
		s.Stamps -= int64(b.Stamps)
	case Hold:
		if m&(markUsed|markReleased) == 0 {
			s.Spent += int64(b.Stamps)
			*held++
		}
	case Redeem:
		if m&markReversed != 0 {
			s.Reversed++
		} else {
			s.Spent += int64(b.Stamps)
			s.Redeemed++
		}
	}
}

// describe says of each group who it is and what the member agreed to.
func (f *fold) describe() {
	for _, i := range f.enrols { // by order, so that the first to be met is the oldest
		e, a := &f.entries[i], &f.accounts[f.of(i)]
		if !a.Enrolled {
			a.Enrolled, a.Since, a.Ref = true, e.At, e.Account
		} else if e.At.Compare(a.Since) == 0 && e.Account.Compare(a.Ref) < 0 {
			a.Ref = e.Account
		}
	}
	for i, r := range f.groups.refs {
		if a := &f.accounts[f.groups.root(int32(i))]; !a.Enrolled && (a.Ref == Ref{} || r.Compare(a.Ref) < 0) {
			a.Ref = r
		}
	}
	for i, r := range f.groups.refs {
		if a := &f.accounts[f.groups.root(int32(i))]; r != a.Ref {
			a.Members = append(a.Members, r)
		}
	}
	for i := range f.accounts {
		if m := f.accounts[i].Members; len(m) > 1 {
			sort.Slice(m, func(i, j int) bool { return m[i].Compare(m[j]) < 0 })
		}
	}
	for _, i := range f.consents { // by order, so that the last one stays
		b, a := f.entries[i].Body.(Consent), &f.accounts[f.of(i)]
		a.Consents[b.Purpose] = ConsentRevoked
		if b.Granted {
			a.Consents[b.Purpose] = ConsentGranted
		}
	}
}

// overdraw finds the redemptions and holds that stamps don't cover. Stamps cover the first ones by order.
func (f *fold) overdraw() {
	byGroup := map[int32][]int32{}
	for _, list := range [][]int32{f.redeems, f.holds} {
		for _, i := range list {
			if f.takes(i) {
				if g := f.of(i); f.accounts[g].Spent > max(f.accounts[g].Stamps, 0) {
					byGroup[g] = append(byGroup[g], i)
				}
			}
		}
	}
	for g, list := range byGroup {
		slices.SortFunc(list, f.compare)
		a := &f.accounts[g]
		left := max(a.Stamps, 0) - a.Spent
		for _, i := range list {
			left += cost(f.entries[i].Body)
		}
		for _, i := range list { // left is what the closed ones have left
			c := cost(f.entries[i].Body)
			if missing := min(c-left, c); missing > 0 {
				f.flag(i, FlagOverdraft)
				f.overdrafts = append(f.overdrafts, Overdraft{f.entries[i].ID, a.Ref, missing, f.marks[i]&markForgiven != 0})
			}
			left -= c
		}
	}
}

// takes reports whether entry i, a hold or a redemption, takes stamps now.
func (f *fold) takes(i int32) bool {
	return f.marks[i]&(markOut|markUsed|markReleased|markReversed) == 0
}

func cost(b Body) int64 {
	switch b := b.(type) {
	case Hold:
		return int64(b.Stamps)
	case Redeem:
		return int64(b.Stamps)
	}
	return 0
}

// state returns what was found out.
func (f *fold) state() *State {
	s := &State{
		Accounts: make(map[Ref]*Account, len(f.accounts)), Moved: map[Ref]Ref{}, Cards: f.cardLinks(),
		Erased: map[Tombstone]struct{}{}, Rejected: f.rejected, Flags: f.flags,
	}
	for i, r := range f.groups.refs {
		root := f.groups.root(int32(i))
		a := &f.accounts[root]
		switch {
		case f.groups.erased[root]:
			s.Erased[TombstoneOf(r)] = struct{}{}
			if int32(i) == root {
				s.Anonymous = s.Anonymous.plus(a.Sums)
			}
		case r == a.Ref:
			s.Accounts[r] = a
		default:
			s.Moved[r] = a.Ref
		}
	}
	for _, o := range f.overdrafts {
		if _, ok := s.Accounts[o.Account]; ok {
			s.Overdrafts = append(s.Overdrafts, o)
		}
	}
	return s
}
