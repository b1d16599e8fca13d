package cards

import (
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
)

// folder applies entries to accounts within one transaction.
type folder struct {
	merchants map[string]*merchant
}

// merchant is one merchant's part.
type merchant struct {
	*accounts
	authors map[string]bool // the terminals whose entries changed something
	linked  []*account      // to which a payment card was linked
	last    uint64          // the position of the last entry
}

func newFolder() *folder { return &folder{merchants: map[string]*merchant{}} }

// fold applies entries, and writes the accounts that they changed.
func (f *folder) fold(tx *bolt.Tx, lines []line) error {
	for i := range lines {
		l := &lines[i]
		m := f.merchants[l.merchant]
		if m == nil {
			m = &merchant{accounts: newAccounts(tx, l.merchant), authors: map[string]bool{}}
			f.merchants[l.merchant] = m
		}
		if err := m.apply(l); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.merchants)) {
		if err := f.merchants[name].finish(); err != nil {
			return err
		}
	}
	return nil
}

// apply applies an entry to the rows that it belongs to.
func (m *merchant) apply(l *line) error {
	programme := ""
	if ofCard(l.entry.Body.Kind()) {
		programme = l.entry.Programme
	}
	m.last = l.offset
	if b, ok := l.entry.Body.(loyalty.Merge); ok && m.crowd(l.entry.Account, b.Other) {
		return m.err
	}
	for _, ref := range l.entry.Rows() {
		a := m.get(ref)
		if m.err != nil {
			return m.err
		}
		r := m.open(a, programme)
		if m.err != nil {
			return m.err
		}
		if r == nil || len(r.row.Open) >= 2*maxOpen || !r.row.Apply(l.entry) {
			continue
		}
		r.dirty, a.touched = true, l.offset
		m.authors[l.entry.ID.Terminal] = true
	}
	if link, ok := l.entry.Body.(loyalty.Link); ok {
		m.linked = append(m.linked, m.get(l.entry.Account))
		return m.tx.Bucket(bucketLinks).Put(linkKey(m.merchant, l.entry.Account, link.Card), nil)
	}
	return nil
}

// crowd reports whether two accounts, with those that they were merged with, are too many to be one member's.
func (m *merchant) crowd(a, b loyalty.Ref) bool {
	seen, queue := map[loyalty.Ref]bool{a: true, b: true}, []loyalty.Ref{a, b}
	visit := func(r loyalty.Ref) {
		if !seen[r] {
			seen[r], queue = true, append(queue, r)
		}
	}
	for ; len(queue) > 0 && len(seen) <= maxGroup; queue = queue[1:] {
		row := m.row(m.get(queue[0]), "")
		if row == nil {
			continue
		}
		for i := range row.Open {
			if o, ok := row.Open[i].Body.(loyalty.Merge); ok {
				visit(row.Open[i].Account)
				visit(o.Other)
			}
		}
	}
	return len(seen) > maxGroup
}

// finish forgets who is to be forgotten, and writes what changed.
func (m *merchant) finish() error {
	looked := map[loyalty.Ref]bool{}
	for _, a := range append(m.touched(), m.linked...) { // a link changes the payment card's row, and may name who was erased before
		if looked[a.ref] || !m.bound(a) {
			continue
		}
		group, err := loyalty.Close(a.ref, m.load(""), loyalty.Keep{})
		if err != nil {
			return err
		}
		for ref, row := range group {
			if looked[ref] = true; !row.Erased {
				continue
			}
			if err := m.shred(m.get(ref)); err != nil {
				return err
			}
		}
	}
	for _, a := range m.touched() {
		if err := m.shorten(a); err != nil {
			return err
		}
		if err := m.store(a); err != nil {
			return err
		}
	}
	return m.err
}

// touched returns the accounts that changed, by ref.
func (m *merchant) touched() (list []*account) {
	for _, a := range m.loaded {
		if a.touched != 0 {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *account) int { return a.ref.Compare(b.ref) })
	return list
}

// bound reports whether an account was merged with another one or erased, perhaps by way of others.
func (m *merchant) bound(a *account) bool {
	row := m.row(a, "")
	return row != nil && slices.ContainsFunc(row.Open, binds)
}

func binds(e loyalty.Entry) bool {
	k := e.Body.Kind()
	return k == loyalty.KindMerge || k == loyalty.KindErase
}

// shred takes away what is stored of an account that is erased. That it is, and with which others it was one, stays: it
// is what keeps entries that come late from bringing it back.
func (m *merchant) shred(a *account) error {
	row := new(loyalty.Row)
	if old := m.row(a, ""); old != nil {
		row.Open = slices.DeleteFunc(slices.Clone(old.Open), func(e loyalty.Entry) bool { return !binds(e) })
	}
	a.rows, a.touched = []*keptRow{{row: row, dirty: true}}, m.last
	for _, ref := range m.cardsOf(a.ref) {
		card := m.get(ref)
		r := m.open(card, "")
		for i := range r.row.Open {
			// The place in the order stays, and nobody is in it.
			if e := &r.row.Open[i]; e.Account == a.ref {
				e.Account = loyalty.Ref(loyalty.TombstoneOf(a.ref))
				r.dirty, card.touched = true, m.last
			}
		}
		if err := m.tx.Bucket(bucketLinks).Delete(linkKey(m.merchant, a.ref, ref)); err != nil {
			return err
		}
	}
	return nil
}

// shorten closes the older entries of rows that are too long.
func (m *merchant) shorten(a *account) error {
	for _, r := range a.rows {
		if !r.dirty || len(r.row.Open) <= maxOpen || m.bound(a) {
			continue
		}
		rows, err := loyalty.Close(a.ref, m.load(r.programme), loyalty.Keep{Stamps: maxOpen / 4, Redemptions: maxOpen / 4})
		if err != nil {
			return err
		}
		short := rows[a.ref]
		card := r.programme != ""
		short.Open = slices.DeleteFunc(short.Open, func(e loyalty.Entry) bool { return ofCard(e.Body.Kind()) != card })
		*r.row = loyalty.Row{Closed: short.Closed, Open: short.Open}
	}
	return nil
}
