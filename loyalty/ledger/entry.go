package ledger

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// open returns a book of what the rows say now. tx is nil when nothing is written.
func (l *Ledger) open(r rows, tx *buffer.Tx, in rules, now *wire.Clock) *book {
	return &book{l: l, rows: r, tx: tx, rules: in, clock: now}
}

// entry makes the call, unless it was made before, in one transaction with what it made.
func (l *Ledger) entry(ctx context.Context, r request, make func(*book, *wire.EntryResponse) (loyalty.Entry, error)) (*wire.EntryResponse, error) {
	in, err := l.inForce()
	if err != nil {
		return nil, err
	}
	now := l.Clock.Now()
	answer := new(wire.EntryResponse)
	err = l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		known, err := r.recall(tx, answer)
		if err != nil || known {
			answer.Duplicate = known
			return err
		}
		keep(tx, now)
		b := l.open(tx, tx, in, now)
		e, err := make(b, answer)
		if err != nil {
			return err
		}
		answer.Seq, answer.Epoch = e.ID.Seq, tx.Epoch().String()
		account := e.Account
		if e.Body.Kind() == loyalty.KindErase {
			account = loyalty.Ref{}
		}
		return r.remember(tx, now.GetWallUnixMs(), e.Body.Kind(), account, answer)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// enter makes an entry: its record, and what it does to cards. more adds to the record what an entry does not have; it may be
// nil.
func (b *book) enter(m named, key string, body loyalty.Body, more func(*wire.Stamp)) (loyalty.Entry, error) {
	e := b.draft(m, key, body)
	record, err := b.record(e, m, more)
	if err != nil {
		return e, err
	}
	return b.append(e, record)
}

// draft returns an entry that has no number yet.
func (b *book) draft(m named, key string, body loyalty.Body) loyalty.Entry {
	return loyalty.Entry{
		At: entry.Moment(b.clock), Uptime: entry.Uptime(b.clock), Account: m.ref, Programme: b.ID, Version: b.Version, Key: key, Body: body,
	}
}

// record returns an entry as it is recorded, if it may be.
func (b *book) record(e loyalty.Entry, m named, more func(*wire.Stamp)) (pci.Clean, error) {
	s := entry.ToWire(e)
	if len(s.GetAccountRef()) > 0 {
		s.AccountKeyId = m.keyID
	}
	if more != nil {
		more(s)
	}
	return b.l.Guard.Check(&wire.Event{Clock: b.clock, Body: &wire.Event_Stamp{Stamp: s}})
}

// append stores the record of an entry and puts the entry into its rows.
func (b *book) append(e loyalty.Entry, record pci.Clean) (loyalty.Entry, error) {
	e.ID = loyalty.EntryID{Terminal: b.l.Terminal, Epoch: b.tx.Epoch(), Seq: b.tx.Append(record)}
	kept := e
	if !b.awaited(e) {
		kept.Key = "" // it has a number here
	}
	return e, b.apply(kept)
}

// opAwaited is the rows of keys by which an entry names one that was not there yet. The value reaches the disk.
const opAwaited operation = 'W'

// awaitedKey is the kind of the entry that is waited for, and its key.
func awaitedKey(kind loyalty.Kind, key string) []byte {
	return append([]byte{byte(opAwaited), byte(kind)}, key...)
}

// awaited reports whether another entry names e by its key, and came first; and notes it when e names one so.
func (b *book) awaited(e loyalty.Entry) bool {
	if t := targetOf(e.Body); t.Key != "" && t.ID.Terminal == b.l.Terminal {
		b.tx.Put(buffer.Keys, awaitedKey(kindOfTarget(e.Body), t.Key), []byte{})
	}
	if e.Key == "" {
		return false
	}
	name := awaitedKey(e.Body.Kind(), e.Key)
	if b.rows.Get(buffer.Keys, name) == nil {
		return false
	}
	b.tx.Delete(buffer.Keys, name)
	return true
}

// kindOfTarget returns of which kind the entry is that another one undoes.
func kindOfTarget(b loyalty.Body) loyalty.Kind {
	switch b.Kind() {
	case loyalty.KindStampVoid:
		return loyalty.KindStamp
	case loyalty.KindRelease:
		return loyalty.KindHold
	}
	return loyalty.KindRedeem
}

// targetOf returns the entry that another one is about.
func targetOf(b loyalty.Body) loyalty.Target {
	switch b := b.(type) {
	case loyalty.StampVoid:
		return b.Target
	case loyalty.Release:
		return b.Target
	case loyalty.Redeem:
		return b.Hold
	case loyalty.Reverse:
		return b.Target
	case loyalty.Adjust:
		return b.Forgives
	}
	return loyalty.Target{}
}

// rekey merges the member's accounts under keys that the merchant had before with the present one.
func (b *book) rekey(f found) error {
	for _, n := range f.former {
		_, err := b.enter(f.named, "", loyalty.Merge{Other: n.ref}, func(s *wire.Stamp) { s.OtherAccountKeyId = n.keyID })
		if err != nil {
			return err
		}
	}
	return nil
}

// member returns the member that somebody named, for an entry: re-keyed, and not erased.
func (b *book) member(w who) (found, error) {
	f, err := b.find(w)
	if err != nil {
		return f, err
	}
	if f.erased {
		return f, &Refused{Reason: RefusedErased, Field: w.field}
	}
	return f, b.rekey(f)
}

// family returns the open entries of an account and of those that it was merged with, as if all were of one account.
func (b *book) family(ref loyalty.Ref) ([]loyalty.Entry, error) {
	var entries []loyalty.Entry
	_, err := loyalty.Gather(ref, func(r loyalty.Ref) (loyalty.Row, error) {
		row, err := b.load(r)
		for _, e := range row.Open {
			if e.Body.Kind() == loyalty.KindMerge {
				continue
			}
			e.Account = ref
			entries = append(entries, e)
		}
		return row, err
	})
	return entries, err
}

// flags returns what is to be known of an entry of an account.
func (b *book) flags(ref loyalty.Ref, id loyalty.EntryID) (loyalty.Flags, error) {
	entries, err := b.family(ref)
	if err != nil {
		return 0, err
	}
	return loyalty.Fold("", entries).Flags[id], nil
}

// show puts the account's card into an answer.
func (b *book) show(ref loyalty.Ref) (*wire.Card, error) {
	r, err := b.read(ref)
	if err != nil {
		return nil, err
	}
	return b.card(r), nil
}

// card returns a card as callers see it.
func (b *book) card(r loyalty.Reading) *wire.Card {
	c := loyalty.View(b.Programme, r.Account)
	out := &wire.Card{
		ProgrammeId: b.ID, Progress: c.Progress, Of: c.Of, Available: c.Available, Earned: c.Earned, Stamps: c.Stamps,
		AsOfUnixMs: b.clock.GetWallUnixMs(), Offline: !b.l.Online(), AtLeast: c.AtLeast, Held: c.Held, Pending: r.Account.Pending,
	}
	if r.Expiry.At.Known {
		out.ExpiresUnixMs, out.Expiring = proto.Int64(r.Expiry.At.UnixMs), r.Expiry.Stamps
	}
	return out
}
