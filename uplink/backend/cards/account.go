package cards

import (
	"bytes"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
)

// Limits of an account, which no member comes near: what a terminal says must not make others slow.
const (
	maxProgrammes = 16   // of which an account has a row; entries for more change nothing
	maxGroup      = 256  // accounts that are one member's; a merge that makes it more changes nothing
	maxOpen       = 4096 // entries of a row; the older half is closed then, and can't be voided by its key any more
)

// account is one account, or payment card, during a transaction. Rows are read when they are needed.
type account struct {
	ref     loyalty.Ref
	changed uint64 // the position under which it is in the bucket, 0 when it is not
	touched uint64 // the position of the last entry that changed it in this transaction, 0 for none
	rows    []*keptRow
}

// keptRow is one row of an account.
type keptRow struct {
	programme string
	raw       []byte
	row       *loyalty.Row // nil until it is needed
	dirty     bool
}

// accounts are those of one merchant, as far as a transaction has needed them.
type accounts struct {
	tx       *bolt.Tx
	merchant string
	loaded   map[loyalty.Ref]*account
	err      error // the first account that could not be read
}

func newAccounts(tx *bolt.Tx, merchant string) *accounts {
	return &accounts{tx: tx, merchant: merchant, loaded: map[loyalty.Ref]*account{}}
}

// get returns an account, which is empty when there is none.
func (s *accounts) get(ref loyalty.Ref) *account {
	a, ok := s.loaded[ref]
	if ok {
		return a
	}
	a = &account{ref: ref}
	s.loaded[ref] = a
	v := s.tx.Bucket(bucketAccounts).Get(accountKey(s.merchant, ref))
	if v == nil {
		return a
	}
	changed, rows, err := parseAccount(v)
	if err != nil {
		s.err = err
		return a
	}
	a.changed = changed
	for _, r := range rows {
		a.rows = append(a.rows, &keptRow{programme: r.programme, raw: r.row})
	}
	return a
}

// row returns a row of an account, nil when there is none.
func (s *accounts) row(a *account, programme string) *loyalty.Row {
	for _, r := range a.rows {
		if r.programme != programme {
			continue
		}
		if r.row == nil {
			row, err := loyalty.DecodeRow(r.raw, a.ref)
			if err != nil {
				s.err = errAccount
			}
			r.row = &row
		}
		return r.row
	}
	return nil
}

// open returns a row of an account that is about to change. It is made when there is none, unless there are too many.
func (s *accounts) open(a *account, programme string) *keptRow {
	if s.row(a, programme) == nil {
		if len(a.rows) > maxProgrammes {
			return nil
		}
		a.rows = append(a.rows, &keptRow{programme: programme, row: new(loyalty.Row)})
	}
	return a.rows[slices.IndexFunc(a.rows, func(r *keptRow) bool { return r.programme == programme })]
}

// load returns, for [loyalty.Close] and its like, the rows of one programme: each with what is about the member.
func (s *accounts) load(programme string) func(loyalty.Ref) (loyalty.Row, error) {
	return func(ref loyalty.Ref) (loyalty.Row, error) {
		a := s.get(ref)
		var both loyalty.Row
		if r := s.row(a, ""); r != nil {
			both = *r
		}
		if programme != "" {
			if r := s.row(a, programme); r != nil {
				both.Closed = r.Closed
				both.Open = merged(both.Open, r.Open)
			}
		}
		return both, s.err
	}
}

// merged returns two lists of entries as one, by id.
func merged(a, b []loyalty.Entry) []loyalty.Entry {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b loyalty.Entry) int { return a.ID.Compare(b.ID) })
	return all
}

// programmes returns those that an account has rows for, but for "".
func (a *account) programmes() (names []string) {
	for _, r := range a.rows {
		if r.programme != "" {
			names = append(names, r.programme)
		}
	}
	return names
}

// store writes an account that was touched, and its place among those that changed.
func (s *accounts) store(a *account) error {
	var rows []held
	for _, r := range a.rows {
		if r.dirty {
			r.raw = r.row.Append(nil, a.ref)
		}
		if r.programme == "" || len(r.raw) > 0 {
			rows = append(rows, held{r.programme, r.raw})
		}
	}
	changed := s.tx.Bucket(bucketChanged)
	if a.changed != 0 && a.changed != a.touched {
		if err := changed.Delete(changedKey(s.merchant, a.changed, a.ref)); err != nil {
			return err
		}
	}
	if err := changed.Put(changedKey(s.merchant, a.touched, a.ref), nil); err != nil {
		return err
	}
	return s.tx.Bucket(bucketAccounts).Put(accountKey(s.merchant, a.ref), appendAccount(nil, a.touched, rows))
}

// cardsOf returns the payment cards that were ever linked to an account.
func (s *accounts) cardsOf(ref loyalty.Ref) (cards []loyalty.Ref) {
	prefix := accountKey(s.merchant, ref)
	c := s.tx.Bucket(bucketLinks).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if card := k[len(prefix):]; len(card) == len(loyalty.Ref{}) {
			cards = append(cards, loyalty.Ref(card))
		}
	}
	return cards
}
