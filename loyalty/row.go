package loyalty

import (
	"slices"
)

// Row is what a terminal keeps of one account for one programme, or of one payment card: what the backend closed, as
// sums, and the entries that are still open. Entries are kept under [Entry.Rows]. The zero Row is that of an account of
// which nothing is known. CARD.md says how rows and a terminal's own entries fit together.
type Row struct {
	AsOf    uint64 // the position in the backend's log that the row was made at; 0: it never came from there
	Through []Mark // by epoch: the entries of the terminal that keeps the row which are in it already
	Erased  bool   // the member is forgotten; nothing else is set but AsOf and Through
	To      Ref    // the account that this one was merged into; its row has the sums
	Members []Ref  // the accounts that were merged into this one
	Closed  Sums
	Expiry  Expiry
	Open    []Entry // by id, without what a card does not need: see [Row.Apply]
}

// Mark says how far the entries of one terminal in one epoch are in a row.
type Mark struct {
	Terminal string
	Epoch    [16]byte
	Seq      uint64 // the last one that is
}

// Expiry is what the backend says about the stamps that will expire next. The terminal shows it and does nothing else.
type Expiry struct {
	At     Moment
	Stamps uint32
}

// Apply adds an entry to a row of its, and reports whether the row was changed. An entry that is there, or that the
// backend had when it made the row, changes nothing. Of the entry it keeps what [Gather] needs: no order, no payment,
// no operator and no programme.
func (r *Row) Apply(e Entry) bool {
	if r.covers(e.ID) || r.Erased || e.problem() != "" {
		return false
	}
	e = reduced(e)
	i, there := slices.BinarySearchFunc(r.Open, e.ID, func(o Entry, id EntryID) int { return o.ID.Compare(id) })
	if !there {
		r.Open = slices.Insert(r.Open, i, e)
		return true
	}
	if compareTwins(&e, &r.Open[i]) >= 0 {
		return false
	}
	r.Open[i] = e
	return true
}

// covers reports whether the backend had an entry of this terminal when it made the row.
func (r *Row) covers(id EntryID) bool {
	return slices.ContainsFunc(r.Through, func(m Mark) bool {
		return m.Terminal == id.Terminal && m.Epoch == id.Epoch && id.Seq <= m.Seq
	})
}

// reduced returns the entry without what a row does not keep.
func reduced(e Entry) Entry {
	e.Programme, e.Version = "", 0
	switch b := e.Body.(type) {
	case Stamp:
		e.Body = Stamp{Stamps: b.Stamps}
	case Redeem:
		b.Right, b.Lease = 0, LeaseID{}
		e.Body = b
	case Consent:
		b.TextHash = [32]byte{}
		e.Body = b
	}
	return e
}

// Renew returns the row that takes the place of old when fresh comes from the backend: fresh, with the entries of this
// terminal that fresh does not have yet. A fresh row that is older than old changes nothing. Neither argument is changed.
func Renew(old, fresh Row, terminal string) Row {
	if fresh.AsOf < old.AsOf {
		return old
	}
	fresh.Open = slices.Clone(fresh.Open)
	fresh.Through = slices.Clone(fresh.Through)
	for _, m := range old.Through {
		fresh.raise(m)
	}
	for _, e := range old.Open {
		if e.ID.Terminal == terminal {
			fresh.Apply(e)
		}
	}
	return fresh
}

// raise sees to it that the row covers what m does.
func (r *Row) raise(m Mark) {
	for i := range r.Through {
		if o := &r.Through[i]; o.Terminal == m.Terminal && o.Epoch == m.Epoch {
			o.Seq = max(o.Seq, m.Seq)
			return
		}
	}
	r.Through = append(r.Through, m)
}

// CardLink returns whose the payment card is whose row this is.
func (r *Row) CardLink(card Ref) CardLink {
	f := newFold("", r.Open)
	f.run()
	return f.cardLinks()[card]
}
