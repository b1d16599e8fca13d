package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// errCardRow says that a row of the cards bucket can't be read.
var errCardRow = errors.New("cannot read a member's card")

// accountSize is the length of a member's reference (pci.RefKey.Account), in bytes.
const accountSize = len(loyalty.Ref{})

// cardName is what a card is kept under: the first half of an account's or a payment card's reference. Two that have one name
// do not occur among as many members as there are phone numbers.
type cardName [16]byte

func nameOf(ref loyalty.Ref) cardName { return cardName(ref[:16]) }

// ref returns what stands for the card's own reference where only its name is known. What a row says of its own account, it says
// without naming it.
func (n cardName) ref() (ref loyalty.Ref) {
	copy(ref[:], n[:])
	return ref
}

// cardKey is programme ‖ 0 ‖ name.
func cardKey(programme string, ref loyalty.Ref) []byte {
	return keyOfName(programme, ref[:len(cardName{})])
}

// sumKey is the key of a card as formats 1 and 2 had it: programme ‖ 0 ‖ account.
func sumKey(programme string, ref loyalty.Ref) []byte { return keyOfName(programme, ref[:]) }

func keyOfName(programme string, name []byte) []byte {
	key := make([]byte, 0, len(programme)+1+len(name))
	return append(append(append(key, programme...), 0), name...)
}

// parseCardKey reads what cardKey and sumKey made.
func parseCardKey(key []byte) (programme string, name cardName, ok bool) {
	at := bytes.IndexByte(key, 0)
	if at < 1 || len(key)-at-1 != len(name) && len(key)-at-1 != accountSize {
		return "", name, false
	}
	return string(key[:at]), cardName(key[at+1:]), true
}

// sumRowSize is the size of a row as formats 1 and 2 had them: the sum of the stamps.
const sumRowSize = 4

// decodeCard reads a row of the cards bucket.
func decodeCard(r rows, n cardName, ref loyalty.Ref, row []byte) (loyalty.Row, error) {
	if len(row) == 0 {
		return loyalty.Row{}, nil
	}
	plain, ok := unseal(r, n, row)
	if !ok {
		return loyalty.Row{}, errCardRow
	}
	card, err := loyalty.DecodeNumberedRow(plain, ref, sourceOf(r))
	if err != nil {
		return card, errCardRow
	}
	return card, nil
}

// encodeCard returns the row of a card.
func encodeCard(tx *buffer.Tx, n cardName, ref loyalty.Ref, card loyalty.Row) []byte {
	return seal(tx, n, card.AppendNumbered(nil, ref, numbers(tx)))
}

// book is the cards of one programme, as one transaction sees them.
type book struct {
	l    *Ledger
	rows rows
	tx   *buffer.Tx // nil: to be looked at only
	rules
	clock  *wire.Clock
	seen   map[loyalty.Ref]loyalty.Row   // rows as they are by now
	sums   map[loyalty.Ref]bool          // accounts that have a sum of formats 1 and 2
	joined map[loyalty.Ref][]loyalty.Ref // accounts that are read as one, and are not merged yet
}

// load returns the row of an account or payment card, the zero Row when there is none.
func (b *book) load(ref loyalty.Ref) (loyalty.Row, error) {
	row, err := b.stored(ref)
	if more := b.joined[ref]; len(more) > 0 && !row.Erased && row.To == (loyalty.Ref{}) {
		row.Members = append(bytesOfRefs(row.Members), more...)
	}
	return row, err
}

func bytesOfRefs(refs []loyalty.Ref) []loyalty.Ref { return append([]loyalty.Ref(nil), refs...) }

// stored returns the row as it is stored.
func (b *book) stored(ref loyalty.Ref) (loyalty.Row, error) {
	if row, again := b.seen[ref]; again {
		return row, nil
	}
	row, err := b.fetch(ref)
	row.Open = slices.Clip(row.Open) // who adds to it gets one of their own
	if err == nil {
		b.see(ref, row)
	}
	return row, err
}

func (b *book) see(ref loyalty.Ref, row loyalty.Row) {
	if b.seen == nil {
		b.seen = map[loyalty.Ref]loyalty.Row{}
	}
	b.seen[ref] = row
}

// fetch reads a row.
func (b *book) fetch(ref loyalty.Ref) (loyalty.Row, error) {
	if b.erased(ref) {
		return loyalty.Row{Erased: true}, nil
	}
	if row := b.rows.Get(buffer.Cards, cardKey(b.ID, ref)); row != nil {
		return decodeCard(b.rows, nameOf(ref), ref, row)
	}
	// A sum of formats 1 and 2 has no entries; its marks say that it has all that were made before.
	var card loyalty.Row
	if sum := b.rows.Get(buffer.Cards, sumKey(b.ID, ref)); len(sum) == sumRowSize {
		if b.sums == nil {
			b.sums = map[loyalty.Ref]bool{}
		}
		b.sums[ref] = true
		card.Through = b.earlier()
		card.Closed.Stamps = int64(int32(binary.BigEndian.Uint32(sum)))
	}
	return card, nil
}

// earlier returns marks through the last entry of each epoch before this one: all of them are in the sum of a row of formats 1
// and 2, since such a row has had none later.
func (b *book) earlier() []loyalty.Mark {
	var marks []loyalty.Mark
	for _, lane := range b.l.Queue.Lanes() {
		if lane.Lane == buffer.Ledger && lane.Next > 1 && (b.tx == nil || lane.Epoch != b.tx.Epoch()) {
			marks = append(marks, loyalty.Mark{Terminal: b.l.Terminal, Epoch: lane.Epoch, Seq: lane.Next - 1})
		}
	}
	return marks
}

// save stores a row.
func (b *book) save(ref loyalty.Ref, row loyalty.Row) {
	row.Open = slices.Clip(row.Open)
	b.see(ref, row)
	b.tx.Put(buffer.Cards, cardKey(b.ID, ref), encodeCard(b.tx, nameOf(ref), ref, row))
	if old := sumKey(b.ID, ref); b.sums[ref] {
		b.tx.Delete(buffer.Cards, old)
	}
}

// read returns what an account comes to.
func (b *book) read(ref loyalty.Ref) (loyalty.Reading, error) { return loyalty.Gather(ref, b.load) }

// apply puts an entry into the rows that it belongs to.
func (b *book) apply(e loyalty.Entry) error {
	for _, ref := range e.Rows() {
		row, err := b.stored(ref)
		if err != nil {
			return err
		}
		if !row.Apply(e) {
			continue
		}
		if row, err = b.shortened(ref, row); err != nil {
			return err
		}
		b.save(ref, row)
	}
	return nil
}

// How many entries a row may have open, and what stays of them when it has more.
const (
	mostOpen        = 64
	openStamps      = 16
	openRedemptions = 8
)

// shortened returns a row that says the same with fewer entries, when it has too many: those that the backend has not closed
// yet, since it was not there or sends no cards. The marks of such a row keep one of the backend's away that has less.
func (b *book) shortened(ref loyalty.Ref, row loyalty.Row) (loyalty.Row, error) {
	if len(row.Open) <= mostOpen || row.To != (loyalty.Ref{}) || len(row.Members) > 0 {
		return row, nil
	}
	marks := row.Through
	for i := range row.Open {
		e := &row.Open[i]
		switch e.Body.(type) {
		case loyalty.Link, loyalty.Unlink, loyalty.Merge:
			return row, nil
		}
		if e.ID.Terminal == b.l.Terminal {
			marks = raise(marks, loyalty.Mark(e.ID))
		}
	}
	closed, err := loyalty.Close(ref, func(loyalty.Ref) (loyalty.Row, error) { return row, nil }, loyalty.Keep{
		Terminal: b.l.Terminal, AsOf: row.AsOf, Through: marks, Stamps: openStamps, Redemptions: openRedemptions,
	})
	if err != nil {
		return row, err
	}
	short := closed[ref]
	short.Expiry = row.Expiry
	return short, nil
}

// raise returns the marks with one that is at least m.
func raise(marks []loyalty.Mark, m loyalty.Mark) []loyalty.Mark {
	for i := range marks {
		if o := &marks[i]; o.Terminal == m.Terminal && o.Epoch == m.Epoch {
			o.Seq = max(o.Seq, m.Seq)
			return marks
		}
	}
	return append(marks, m)
}
