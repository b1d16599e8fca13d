package ledger

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// EraseMember forgets a member: their rows, and those of accounts that were merged with theirs, are gone when it returns, and a
// tombstone refuses what comes of them later. FORMAT.md says what pages of the file still hold then, and until when.
//
// Errors: *[Invalid], *[Refused], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) EraseMember(ctx context.Context, req *wire.EraseMemberRequest) (*wire.EntryResponse, error) {
	if err := checkCall(req.GetIdempotencyKey(), req.GetOperatorRef()); err != nil {
		return nil, err
	}
	w, err := l.memberOf("member", req.GetMember())
	if err != nil {
		return nil, err
	}
	asked := proto.CloneOf(req)
	asked.Member = nil
	r, err := newRequest(opErase, req.GetIdempotencyKey(), asked, w)
	if err != nil {
		return nil, err
	}
	traces, err := l.traces(w)
	if err != nil {
		return nil, err
	}
	var gone []loyalty.Ref
	answer, err := l.entry(ctx, r, func(b *book, answer *wire.EntryResponse) (e loyalty.Entry, err error) {
		f, err := b.find(w)
		if err != nil {
			return e, err
		}
		answer.Already = f.erased
		b.join(f)
		read, err := b.read(f.ref)
		if err != nil {
			return e, err
		}
		if !f.erased {
			if err := b.rekey(f); err != nil {
				return e, err
			}
		}
		e, err = b.enter(f.named, req.GetIdempotencyKey(), loyalty.Erase{}, func(s *wire.Stamp) { s.OperatorRef = req.GetOperatorRef() })
		if err != nil {
			return e, err
		}
		refs := append([]loyalty.Ref{f.ref, read.Account.Ref}, read.Account.Members...)
		for _, n := range append(w.phone, f.former...) {
			refs = append(refs, n.ref)
		}
		if refs, err = b.onlyErased(refs); err != nil {
			return e, err
		}
		gone = refs
		return e, b.forgetAll(refs, e, traces)
	})
	if err != nil {
		return nil, err
	}
	return answer, l.sweep(ctx, gone)
}

// sweep takes accounts that are gone out of rows that were written between the look for traces and the erasure.
func (l *Ledger) sweep(ctx context.Context, refs []loyalty.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	var t traces
	err := l.Queue.View(func(tx *buffer.ReadTx) error { return t.collect(tx, refs) })
	if err != nil || t.none() {
		return err
	}
	gone := map[loyalty.Ref]bool{}
	for _, ref := range refs {
		gone[ref] = true
	}
	return l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		l.open(tx, tx, rules{Programme: l.Programme}, nil).unnameAll(gone, t)
		return nil
	})
}

// onlyErased returns those accounts that were erased. One that was merged with another by a later entry, as entries are ordered, is
// not erased with it.
func (b *book) onlyErased(refs []loyalty.Ref) (erased []loyalty.Ref, err error) {
	for _, ref := range refs {
		if ref == (loyalty.Ref{}) {
			continue
		}
		r, err := b.read(ref)
		if err != nil {
			return nil, err
		}
		if r.Account.Erased {
			erased = append(erased, ref)
		}
	}
	return erased, nil
}

// forgetAll removes what there is of accounts, and leaves tombstones. by is the entry that erased them, none when it was another
// terminal's.
func (b *book) forgetAll(refs []loyalty.Ref, by loyalty.Entry, t traces) error {
	b.seen = nil
	gone := map[loyalty.Ref]bool{}
	for _, ref := range refs {
		if ref == (loyalty.Ref{}) || gone[ref] {
			continue
		}
		gone[ref] = true
		b.tx.Put(buffer.Keys, tombstoneKey(ref), tombstoneRow(ref, by))
		b.tx.Delete(buffer.Cards, cardKey(b.ID, ref))
		b.tx.Delete(buffer.Cards, sumKey(b.ID, ref))
		b.tx.Delete(buffer.Keys, leasesKey(ref))
	}
	b.unnameAll(gone, t)
	return b.shred(gone)
}

// unnameAll takes the names of accounts that are gone out of all rows that have them.
func (b *book) unnameAll(gone map[loyalty.Ref]bool, t traces) {
	for _, key := range t.cards {
		b.unname(key, gone)
	}
	for _, key := range t.entries {
		b.tx.Delete(buffer.Entries, key)
	}
	for _, key := range t.keys {
		if m, ok := parseMade(b.tx.Get(buffer.Keys, key)); ok && gone[m.account] {
			row := bytes.Clone(b.tx.Get(buffer.Keys, key))
			clear(row[entryRowHeader-accountSize : entryRowHeader])
			b.tx.Keep(buffer.Keys, key, row)
		}
	}
}

// unname takes the names of accounts that are gone out of another row. A payment card that stood for one stands for a
// tombstone, which is nobody: who links it next is pending as before.
func (b *book) unname(key []byte, gone map[loyalty.Ref]bool) {
	_, n, ok := parseCardKey(key)
	value := b.tx.Get(buffer.Cards, key)
	if !ok || value == nil || len(value) == sumRowSize {
		return
	}
	row, err := decodeCard(b.tx, n, n.ref(), value)
	if err != nil {
		return
	}
	row.Members = slices.DeleteFunc(row.Members, func(m loyalty.Ref) bool { return gone[m] })
	row.Open = slices.DeleteFunc(row.Open, func(e loyalty.Entry) bool {
		m, merge := e.Body.(loyalty.Merge)
		return merge && (gone[e.Account] || gone[m.Other]) // it counts for nothing
	})
	for i := range row.Open {
		if e := &row.Open[i]; gone[e.Account] {
			e.Account = loyalty.Ref(loyalty.TombstoneOf(e.Account))
		}
	}
	b.tx.Put(buffer.Cards, key, encodeCard(b.tx, n, n.ref(), row))
}

// traces are the keys of rows that name an account beside its own.
type traces struct{ cards, entries, keys [][]byte }

func (t *traces) none() bool { return len(t.cards)+len(t.entries)+len(t.keys) == 0 }

// traces looks through all rows for what names somebody.
func (l *Ledger) traces(w who) (t traces, err error) {
	in, err := l.inForce()
	if err != nil {
		return t, err
	}
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		b := l.open(tx, nil, in, l.Clock.Now())
		f, err := b.find(w)
		if refused := new(Refused); errors.As(err, &refused) {
			return nil // told by the call itself
		} else if err != nil {
			return err
		}
		b.join(f)
		read, err := b.read(f.ref)
		if err != nil {
			return err
		}
		refs := append([]loyalty.Ref{f.ref, read.Account.Ref}, read.Account.Members...)
		return t.collect(tx, refs)
	})
	return t, err
}

func (t *traces) collect(tx *buffer.ReadTx, refs []loyalty.Ref) error {
	names := func(row loyalty.Row) bool {
		return slices.ContainsFunc(row.Open, func(e loyalty.Entry) bool {
			m, merged := e.Body.(loyalty.Merge)
			return slices.Contains(refs, e.Account) || merged && slices.Contains(refs, m.Other)
		})
	}
	err := tx.Scan(buffer.Cards, nil, func(key, value []byte) error {
		_, n, ok := parseCardKey(key)
		if !ok || len(value) == sumRowSize {
			return nil
		}
		if row, err := decodeCard(tx, n, n.ref(), value); err == nil && (names(row)) {
			t.cards = append(t.cards, bytes.Clone(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Scan(buffer.Entries, nil, func(key, _ []byte) error {
		for _, ref := range refs {
			if bytes.Contains(key, ref[:]) {
				t.entries = append(t.entries, bytes.Clone(key))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Scan(buffer.Keys, nil, func(key, value []byte) error {
		if !operation(key[0]).isEntryCall() {
			return nil
		}
		if m, ok := parseMade(value); ok && m.account != (loyalty.Ref{}) && slices.Contains(refs, m.account) {
			t.keys = append(t.keys, bytes.Clone(key))
		}
		return nil
	})
}
