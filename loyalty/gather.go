package loyalty

// Reading is what the rows of an account come to.
type Reading struct {
	Account Account
	Visits  []Visit // the open stamps that were not taken back, in no order
	Expiry  Expiry
}

// Visit is an award of stamps, as [Judge] needs it.
type Visit struct {
	ID     EntryID
	At     Moment
	Uptime Uptime
	Stamps int32
}

// keptRow is a row and the account that it is of.
type keptRow struct {
	ref Ref
	row *Row
}

// Gather returns what an account comes to by its row, and by the rows of the accounts that it was merged with. load
// returns the row of an account, the zero Row when there is none; its error ends Gather, and is returned. load is called
// once for an account, so rows that name each other in a ring do no harm.
//
// When every entry that an open one names is open too, the account is that of [Fold] over all entries that went into
// the rows. Otherwise Account.Pending says how many wait: the backend knows what they come to.
func Gather(ref Ref, load func(Ref) (Row, error)) (Reading, error) {
	f, err := gather(ref, load)
	if err != nil {
		return Reading{}, err
	}
	root := f.groups.root(f.groups.byRef[ref])
	if f.groups.erased[root] {
		return Reading{Account: Account{Erased: true}}, nil
	}
	r := Reading{Account: f.accounts[root]}
	for i := range f.entries {
		b, ok := f.entries[i].Body.(Stamp)
		if ok && f.marks[i]&(markOut|markVoided) == 0 && f.of(int32(i)) == root {
			e := &f.entries[i]
			r.Visits = append(r.Visits, Visit{e.ID, e.At, e.Uptime, b.Stamps})
		}
	}
	for _, k := range f.rows {
		if x := k.row.Expiry; f.groups.root(f.groups.byRef[k.ref]) == root && x.At.Known && (!r.Expiry.At.Known || x.At.UnixMs < r.Expiry.At.UnixMs) {
			r.Expiry = x
		}
	}
	return r, nil
}

// gather folds all rows that can be reached from an account.
func gather(ref Ref, load func(Ref) (Row, error)) (*fold, error) {
	var rows []keptRow
	var entries []Entry
	seen := map[Ref]struct{}{ref: {}}
	queue := []Ref{ref}
	visit := func(r Ref) {
		if _, again := seen[r]; !again && r != (Ref{}) {
			seen[r] = struct{}{}
			queue = append(queue, r)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		row, err := load(at)
		if err != nil {
			return nil, err
		}
		rows = append(rows, keptRow{at, &row})
		entries = append(entries, row.Open...)
		visit(row.To)
		for _, m := range row.Members {
			visit(m)
		}
		for i := range row.Open {
			if m, ok := row.Open[i].Body.(Merge); ok {
				visit(m.Other)
				visit(row.Open[i].Account)
			}
		}
	}
	f := newFold("", entries)
	f.rows = rows
	f.run()
	return f, nil
}

// found takes over what rows say of groups and sums.
func (f *fold) found() {
	for _, k := range f.rows {
		g := &f.groups
		i := g.index(k.ref)
		for _, m := range k.row.Members {
			g.join(i, g.index(m))
		}
		if k.row.To != (Ref{}) {
			g.join(i, g.index(k.row.To))
		}
		if r := g.root(i); k.row.Erased {
			g.erased[r] = true
		}
	}
	if len(f.rows) == 0 {
		return
	}
	f.closed = make([]Sums, f.groups.len())
	for _, k := range f.rows {
		f.closed[f.groups.byRef[k.ref]] = k.row.Closed
	}
}
