package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// errCardRow says that a row of the cards bucket can't be read.
var errCardRow = errors.New("cannot read a member's card")

// accountSize is the length of a member's reference (pci.RefKey.Account), in bytes.
const accountSize = len(loyalty.Ref{})

// cardKey is programme ‖ 0 ‖ account. A payment card's row is under its own reference in place of an account's.
func cardKey(programme string, ref loyalty.Ref) []byte {
	key := make([]byte, 0, len(programme)+1+len(ref))
	return append(append(append(key, programme...), 0), ref[:]...)
}

// parseCardKey reads what cardKey made.
func parseCardKey(key []byte) (programme string, ref loyalty.Ref, ok bool) {
	at := len(key) - accountSize - 1
	if at < 1 || bytes.IndexByte(key, 0) != at {
		return "", ref, false
	}
	return string(key[:at]), loyalty.Ref(key[at+1:]), true
}

// sumRowSize is the size of a row as formats 1 and 2 had them: the sum of the stamps.
const sumRowSize = 4

// decodeCard reads a row of the cards bucket. A sum of formats 1 and 2 has no entries; earlier returns the marks that say so.
func decodeCard(row []byte, ref loyalty.Ref, earlier func() []loyalty.Mark) (loyalty.Row, error) {
	switch len(row) {
	case 0:
		return loyalty.Row{}, nil
	case sumRowSize:
		r := loyalty.Row{Through: earlier()}
		r.Closed.Stamps = int64(int32(binary.BigEndian.Uint32(row)))
		return r, nil
	}
	r, err := loyalty.DecodeRow(row, ref)
	if err != nil {
		return r, errCardRow
	}
	return r, nil
}

// book is the cards of one programme, as one transaction sees them.
type book struct {
	l    *Ledger
	rows rows
	tx   *buffer.Tx // nil: to be looked at only
	rules
	clock  *wire.Clock
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
	if b.erased(ref) {
		return loyalty.Row{Erased: true}, nil
	}
	return decodeCard(b.rows.Get(buffer.Cards, cardKey(b.ID, ref)), ref, b.earlier)
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
	b.tx.Put(buffer.Cards, cardKey(b.ID, ref), row.Append(nil, ref))
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
