package loyalty

import (
	"slices"
	"sort"
)

// Keep says what stays open in the rows that [Close] makes.
type Keep struct {
	Terminal    string // the terminal that they are for
	AsOf        uint64 // the position in the log that they are made at
	Through     []Mark // how far the terminal's entries are in the log there
	Stamps      int    // how many of the newest stamps can still be voided on the terminal; >= 0
	Redemptions int    // how many of the newest redemptions can still be reversed there; >= 0
}

// Close returns rows that say the same as those of an account's group and need less room: one with the sums, for the
// account that survives, and one for each that was merged into it. They belong together: who stores one stores all, in
// one transaction. An account of which nothing is known has an empty row.
//
// What stays open is what later entries may need: the newest stamps and redemptions with all that names them, holds,
// entries that wait for another one, the oldest Enrol and the latest consents.
func Close(ref Ref, load func(Ref) (Row, error), k Keep) (map[Ref]Row, error) {
	f, err := gather(ref, load)
	if err != nil {
		return nil, err
	}
	root := f.groups.root(f.groups.byRef[ref])
	c := closer{fold: f, Keep: k, root: root, keep: map[int32]bool{}}
	fresh := func() Row { return Row{AsOf: k.AsOf, Through: slices.Clone(k.Through)} }
	a := &f.accounts[root]
	rows := map[Ref]Row{}
	row := fresh()
	if f.groups.erased[root] {
		row.Erased = true
	} else {
		row.Members = a.Members
		row.Closed, row.Open = c.split()
	}
	rows[a.Ref] = row
	for _, m := range a.Members {
		moved := fresh()
		if moved.Erased = row.Erased; !moved.Erased {
			moved.To = a.Ref
		}
		rows[m] = moved
	}
	return rows, nil
}

// closer decides which entries of one group stay open. Entries that name each other stay or go together.
type closer struct {
	*fold
	Keep
	root int32
	keep map[int32]bool // by the entry at the head of those that belong together
}

// split returns the sums of what is closed, and the entries that are not, by id.
func (c *closer) split() (Sums, []Entry) {
	var stamps, rewards, all []int32
	for i := range c.entries {
		i := int32(i)
		if j, ok := c.byID[c.place(&c.entries[i].ID)]; !ok || i != j {
			continue
		}
		if c.owner[i] == none { // says whose a payment card is
			c.keep[i] = true
		} else if c.of(i) != c.root {
			continue
		}
		all = append(all, i)
		switch head := c.head(i); c.entries[i].Body.(type) {
		case Stamp:
			stamps = append(stamps, i)
		case Hold, Redeem:
			if head == i {
				rewards = append(rewards, i)
			}
			if c.entries[i].Body.Kind() == KindHold && c.takes(i) {
				c.keep[i] = true
			}
		}
		if c.marks[i]&markWaits != 0 {
			c.keep[c.head(i)] = true
		}
	}
	c.newest(stamps, c.Stamps)
	c.newest(rewards, c.Redemptions)
	c.lasting(all)

	var sums Sums
	for i, s := range c.closed {
		if c.groups.root(int32(i)) == c.root {
			sums = sums.plus(s)
		}
	}
	var open []Entry
	for _, i := range all {
		if c.keep[c.head(i)] {
			open = append(open, c.kept(i))
		} else if c.marks[i]&markOut == 0 {
			var held int32
			c.count(i, &sums, &held)
		}
	}
	sort.Slice(open, func(i, j int) bool { return open[i].ID.Compare(open[j].ID) < 0 })
	return sums, open
}

// newest keeps the last n by order.
func (c *closer) newest(list []int32, n int) {
	slices.SortFunc(list, c.compare)
	for _, i := range list[max(len(list)-n, 0):] {
		c.keep[i] = true
	}
}

// lasting keeps the entries that say when the member enrolled and what they agreed to. Merges and erasures are said by
// the rows themselves.
func (c *closer) lasting(all []int32) {
	a := &c.accounts[c.root]
	latest := [purposes]int32{}
	for _, i := range all {
		switch b := c.entries[i].Body.(type) {
		case Enrol:
			if e := &c.entries[i]; e.Account == a.Ref && e.At == a.Since {
				c.keep[i] = true
			}
		case Consent:
			if l := latest[b.Purpose]; l == 0 || c.compare(l-1, i) < 0 {
				latest[b.Purpose] = i + 1
			}
		}
	}
	for _, l := range latest {
		if l > 0 {
			c.keep[l-1] = true
		}
	}
}

// head returns the entry that stands for those which belong together with i: the stamp, the hold, or the redemption
// without one.
func (c *closer) head(i int32) int32 {
	for {
		t, kind := about(c.entries[i].Body)
		if t.IsZero() || c.marks[i]&markWaits != 0 {
			return i
		}
		i, _ = c.find(t, kind)
	}
}

// about returns the entry that another one is about, and of which kind it must be.
func about(b Body) (Target, Kind) {
	switch b := b.(type) {
	case StampVoid:
		return b.Target, KindStamp
	case Release:
		return b.Target, KindHold
	case Redeem:
		return b.Hold, KindHold
	case Reverse:
		return b.Target, KindRedeem
	case Adjust:
		return b.Forgives, KindRedeem
	}
	return Target{}, 0
}

// kept returns entry i as it stays open: keys are gone, and the monotonic clocks of other terminals.
func (c *closer) kept(i int32) Entry {
	e := reduced(c.entries[i])
	e.Key = ""
	if t, kind := about(e.Body); t.Key != "" && c.marks[i]&markWaits == 0 {
		j, _ := c.find(t, kind)
		e.Body = aboutID(e.Body, c.entries[j].ID)
	}
	if e.ID.Terminal != c.Terminal {
		e.Uptime = Uptime{}
	}
	return e
}

// aboutID returns the body with the entry that it is about named by its id.
func aboutID(b Body, id EntryID) Body {
	t := Target{ID: id}
	switch b := b.(type) {
	case StampVoid:
		return StampVoid{t}
	case Release:
		return Release{t}
	case Redeem:
		b.Hold = t
		return b
	case Reverse:
		return Reverse{t}
	case Adjust:
		b.Forgives = t
		return b
	}
	return b
}
