package loyalty

// relate settles which entries undo or use others. Of several that would do the same, the first by order does, and the
// others do nothing. A redemption beats a release, since the reward is gone.
func (f *fold) relate() {
	for _, i := range f.voids {
		b := f.entries[i].Body.(StampVoid)
		f.once(i, f.target(i, b.Target, KindStamp), markVoided, FlagAlreadyVoided)
	}
	for _, i := range f.reverses {
		b := f.entries[i].Body.(Reverse)
		f.once(i, f.target(i, b.Target, KindRedeem), markReversed, FlagAlreadyUndone)
	}
	f.useHolds()
	for _, i := range f.releases {
		b := f.entries[i].Body.(Release)
		switch t := f.target(i, b.Target, KindHold); {
		case t != none && f.marks[t]&markUsed != 0:
			f.flag(i, FlagTooLate)
		default:
			f.once(i, t, markReleased, FlagAlreadyUndone)
		}
	}
	for _, i := range f.forgives {
		b := f.entries[i].Body.(Adjust)
		t := f.target(i, b.Forgives, KindRedeem)
		switch {
		case t == none:
			f.marks[i] |= markOut
		case f.marks[t]&(markReversed|markOut|markForgiven) != 0:
			f.marks[i] |= markOut
			f.flag(i, FlagAlreadyUndone)
		default:
			f.marks[t] |= markForgiven
		}
	}
}

// useHolds gives each hold to the first redemption that names it and was not reversed. A hold that was named by any is
// over: when the redemption is reversed the stamps are back, and not set aside again.
func (f *fold) useHolds() {
	var used map[int32]struct{}
	for _, i := range f.redeems {
		b := f.entries[i].Body.(Redeem)
		if b.Hold.IsZero() {
			continue
		}
		h := f.target(i, b.Hold, KindHold)
		if h == none {
			continue // the reward was given all the same
		}
		f.marks[h] |= markUsed
		if f.marks[i]&markReversed != 0 {
			continue
		}
		if _, again := used[h]; again {
			f.marks[i] |= markOut
			f.flag(i, FlagAlreadyUsed)
			continue
		}
		if used == nil {
			used = map[int32]struct{}{}
		}
		used[h] = struct{}{}
	}
}

// once marks entry t as what entry i does to it, and flags i when another did so before.
func (f *fold) once(i, t int32, m mark, again Flags) {
	switch {
	case t == none:
	case f.marks[t]&m != 0:
		f.flag(i, again)
	default:
		f.marks[t] |= m
	}
}

// target returns the entry that entry i names, if it is there, of the kind, and the same member's. Otherwise i waits.
func (f *fold) target(i int32, t Target, kind Kind) int32 {
	j, ok := f.find(t, kind)
	if ok && f.entries[j].Body.Kind() == kind && f.of(i) == f.of(j) {
		return j
	}
	f.marks[i] |= markWaits
	f.flag(i, FlagPending)
	f.accounts[f.of(i)].Pending++
	return none
}

func (f *fold) find(t Target, kind Kind) (int32, bool) {
	if t.Key == "" {
		j, ok := f.byID[f.place(&t.ID)]
		return j, ok
	}
	if f.byKey == nil {
		f.indexKeys()
	}
	j, ok := f.byKey[keyName{t.ID.Terminal, t.Key, kind}]
	return j, ok
}

// indexKeys finds entries by their keys. Of two with one key, which no terminal makes, the first by order has it.
func (f *fold) indexKeys() {
	f.byKey = map[keyName]int32{}
	for i := range f.entries {
		e := &f.entries[i]
		if e.Key == "" || f.marks[i]&markOut != 0 {
			continue
		}
		name := keyName{e.ID.Terminal, e.Key, e.Body.Kind()}
		if j, ok := f.byKey[name]; !ok || f.compare(int32(i), j) < 0 {
			f.byKey[name] = int32(i)
		}
	}
}
