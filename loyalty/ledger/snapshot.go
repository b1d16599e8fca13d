package ledger

import (
	"context"
	"errors"
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// TakeRows stores the backend's rows of members' cards, with the terminal's own entries that are not in them yet, and their
// position, in one transaction. When the backend's log is another than before, the rows of the old one are dropped first. A row
// that can't be read is left out, and recorded.
//
// Errors: the causes of package buffer.
func (l *Ledger) TakeRows(ctx context.Context, m *wire.CardRows) error {
	if len(m.GetLogId()) != 16 {
		return l.refuseDownlink(ctx, "card_rows", errors.New("cannot take rows of no log"))
	}
	log := [16]byte(m.GetLogId())
	drop, err := l.rowsOfAnotherLog(log)
	if err != nil {
		return err
	}
	gone, traces, err := l.erasedIn(m)
	if err != nil {
		return err
	}
	held := l.held()
	now := l.Clock.Now()
	unread := 0
	err = l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		unread = 0
		b := l.open(tx, tx, rules{Programme: l.Programme}, now)
		p := readPlace(tx)
		if p.log != log {
			for _, key := range drop {
				b.dropClosed(key)
			}
			b.seen = nil
			p = place{log: log, lease: 0}
		}
		s := snapshot{book: b, message: m, held: held}
		for _, own := range []bool{false, true} { // the programme's own rows last: they stay
			for _, r := range m.GetRows() {
				if (r.GetProgrammeId() == b.ID) != own {
					continue
				}
				if err := s.take(r); errors.Is(err, loyalty.ErrRow) {
					unread++
				} else if err != nil {
					return err
				}
			}
		}
		if err := b.forgetAll(gone, loyalty.Entry{}, traces); err != nil {
			return err
		}
		p.through = max(p.through, m.GetThrough())
		tx.Put(buffer.Keys, placeKey(), p.row())
		return nil
	})
	if err == nil && unread > 0 {
		return l.Audit(ctx, &wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_DOWNLINK_REFUSED, Subject: "card_rows"})
	}
	return err
}

// erasedIn returns the accounts that a message says are forgotten and the terminal does not know of, and where they are named.
func (l *Ledger) erasedIn(m *wire.CardRows) (refs []loyalty.Ref, t traces, err error) {
	for _, r := range m.GetRows() {
		ref := loyalty.Ref(r.GetRef())
		if row, err := loyalty.DecodeRow(r.GetRow(), ref); err == nil && row.Erased {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, t, nil
	}
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		b := l.open(tx, nil, rules{Programme: l.Programme}, nil)
		refs = slices.DeleteFunc(refs, b.erased)
		if len(refs) == 0 {
			return nil
		}
		return t.collect(tx, refs)
	})
	return refs, t, err
}

// held returns the epochs of the ledger whose records the backend does not have to the end, with the last number of each.
func (l *Ledger) held() map[[16]byte]uint64 {
	held := map[[16]byte]uint64{}
	for _, lane := range l.Queue.Lanes() {
		if lane.Lane == buffer.Ledger && lane.Acked+1 < lane.Next {
			held[lane.Epoch] = lane.Acked
		}
	}
	return held
}

// rowsOfAnotherLog returns the keys of all rows, when they are of another log than this.
func (l *Ledger) rowsOfAnotherLog(log [16]byte) (keys [][]byte, err error) {
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		if p := readPlace(tx); p.log == log || p.log == [16]byte{} {
			return nil
		}
		return tx.Scan(buffer.Cards, nil, func(key, _ []byte) error {
			keys = append(keys, append([]byte(nil), key...))
			return nil
		})
	})
	return keys, err
}

// dropClosed leaves of a row what the terminal itself put into it and still has.
func (b *book) dropClosed(key []byte) {
	_, n, ok := parseCardKey(key)
	row := b.tx.Get(buffer.Cards, key)
	if !ok || len(row) == sumRowSize {
		return // what formats 1 and 2 summed up was the terminal's own
	}
	var fresh loyalty.Row
	if old, err := decodeCard(b.tx, n, n.ref(), row); err == nil {
		for _, e := range old.Open {
			if e.ID.Terminal == b.l.Terminal {
				fresh.Apply(e)
			}
		}
	}
	if len(fresh.Open) == 0 {
		b.tx.Delete(buffer.Cards, key)
		return
	}
	b.tx.Put(buffer.Cards, key, encodeCard(b.tx, n, n.ref(), fresh))
}

// snapshot is the rows of one message.
type snapshot struct {
	*book
	message *wire.CardRows
	held    map[[16]byte]uint64 // see Ledger.held
}

// take stores one row.
func (s snapshot) take(m *wire.CardRow) error {
	ref := loyalty.Ref(m.GetRef())
	fresh, err := loyalty.DecodeRow(m.GetRow(), ref)
	if err != nil {
		return err
	}
	if fresh.Erased {
		return nil // by now
	}
	old, err := s.stored(ref)
	if err != nil {
		old = loyalty.Row{} // it gives way to one that can be read
	}
	if old.Erased && !s.revived(ref) {
		return nil
	} else if old.Erased {
		old = loyalty.Row{}
	}
	fresh.AsOf, fresh.Through = s.message.GetAsOf(), nil
	for _, mark := range s.message.GetMarks() {
		fresh.Through = append(fresh.Through, loyalty.Mark{Terminal: s.l.Terminal, Epoch: [16]byte(mark.GetEpoch()), Seq: mark.GetSeq()})
	}
	if m.GetProgrammeId() != s.ID && m.GetProgrammeId() != "" {
		if !aboutMember(old) {
			return nil // it has a row of its own, which says the same of the member
		}
		fresh = ofMember(fresh)
	}
	if fresh.AsOf < old.AsOf || !s.covers(old.Through, fresh.Through) {
		return nil
	}
	old.Through = nil
	row := loyalty.Renew(old, fresh, s.l.Terminal)
	row.Through = nil // whatever of the terminal's own is put into it later has a number of its own
	s.save(ref, row)
	return nil
}

// revived reports whether the backend has the entry that erased an account, and does not count it as erased: the entry was about
// another account, which the two were thought to be one with.
func (s snapshot) revived(ref loyalty.Ref) bool {
	by, ok := parseTombstone(s.rows.Get(buffer.Keys, tombstoneKey(ref)))
	if !ok {
		return false
	}
	for _, m := range s.message.GetMarks() {
		if [16]byte(m.GetEpoch()) == by.Epoch && m.GetSeq() >= by.Seq {
			s.tx.Delete(buffer.Keys, tombstoneKey(ref))
			delete(s.seen, ref)
			return true
		}
	}
	return false
}

// covers reports whether the backend's marks reach as far as those of a row that was shortened here. Of an epoch that the
// backend has to its end, nothing is missing in what it sends.
func (s snapshot) covers(old, fresh []loyalty.Mark) bool {
	for _, o := range old {
		acked, open := s.held[o.Epoch]
		if !open || o.Seq <= acked && !hasEpoch(fresh, o.Epoch) {
			continue
		}
		reached := false
		for _, f := range fresh {
			reached = reached || f.Epoch == o.Epoch && f.Seq >= o.Seq
		}
		if !reached {
			return false
		}
	}
	return true
}

func hasEpoch(marks []loyalty.Mark, epoch [16]byte) bool {
	for _, m := range marks {
		if m.Epoch == epoch {
			return true
		}
	}
	return false
}

// aboutMember reports whether a row says nothing of a card, but what the terminal itself put into it.
func aboutMember(r loyalty.Row) bool { return r.AsOf == 0 || r.Closed == (loyalty.Sums{}) }

// ofMember returns what a row of one programme says of the member, and so of their card in another one.
func ofMember(r loyalty.Row) loyalty.Row {
	r.Closed, r.Expiry = loyalty.Sums{}, loyalty.Expiry{}
	var open []loyalty.Entry
	for _, e := range r.Open {
		if e.Body.Kind() >= loyalty.KindEnrol {
			open = append(open, e)
		}
	}
	r.Open = open
	return r
}
