package loyalty

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ErrRow says that bytes are not those of a [Row].
var ErrRow = errors.New("cannot read a card's row")

// Versions are the first byte of a row. CARD.md describes what follows.
const (
	rowVersion     = 1
	rowNumbersOnly = 2 // as 1, with numbers in place of sources: who keeps it keeps them in one place for all rows
)

// Source is where entries come from: a terminal's life of one queue file.
type Source struct {
	Terminal string
	Epoch    [16]byte
}

// Bits of a row's second byte, and of an entry's first, of which the lower six are its kind.
const (
	rowErased = 1 << 0
	rowMoved  = 1 << 1
	rowExpiry = 1 << 2

	entryAt     = 1 << 7
	entryUptime = 1 << 6
	entryKind   = entryUptime - 1
)

// source is what the fold and the tables know a Source by.
type source struct {
	terminal string
	epoch    [16]byte
}

// tables hold what entries of a row have in common, so that it is written once. An entry names it by its place.
type tables struct {
	sources []source
	refs    []Ref
	boots   []BootID
}

// Append appends the row's encoding to b, and returns it. The same row has the same encoding. ref is the account or
// payment card that it is of; it is not in the encoding.
func (r *Row) Append(b []byte, ref Ref) []byte { return r.AppendNumbered(b, ref, nil) }

// AppendNumbered is Append with a number in place of each source, which is a third of a row. numberOf gives a source its number,
// the same one each time; [DecodeNumberedRow] needs to know them.
func (r *Row) AppendNumbered(b []byte, ref Ref, numberOf func(Source) uint64) []byte {
	t := tables{refs: append([]Ref{ref}, r.Members...)}
	var body []byte
	body = binary.AppendUvarint(body, uint64(len(r.Through)))
	for _, m := range r.Through {
		body = t.appendID(body, EntryID(m))
	}
	body = binary.AppendUvarint(body, uint64(len(r.Open)))
	last := int64(0)
	for i := range r.Open {
		body = t.appendEntry(body, &r.Open[i], &last)
	}

	var flags byte
	if r.Erased {
		flags |= rowErased
	}
	if r.To != (Ref{}) {
		flags |= rowMoved
	}
	if r.Expiry.At.Known {
		flags |= rowExpiry
	}
	version := byte(rowVersion)
	if numberOf != nil {
		version = rowNumbersOnly
	}
	b = append(b, version, flags)
	b = binary.AppendUvarint(b, r.AsOf)
	if r.To != (Ref{}) {
		b = append(b, r.To[:]...)
	}
	if r.Expiry.At.Known {
		b = binary.AppendVarint(b, r.Expiry.At.UnixMs)
		b = binary.AppendUvarint(b, uint64(r.Expiry.Stamps))
	}
	b = binary.AppendVarint(b, r.Closed.Stamps)
	b = binary.AppendVarint(b, r.Closed.Spent)
	b = binary.AppendVarint(b, int64(r.Closed.Redeemed))
	b = binary.AppendVarint(b, int64(r.Closed.Reversed))
	b = binary.AppendUvarint(b, uint64(len(r.Members)))
	return append(t.append(b, numberOf), body...)
}

// append appends the tables.
func (t *tables) append(b []byte, numberOf func(Source) uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.refs)-1))
	for _, r := range t.refs[1:] {
		b = append(b, r[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(t.sources)))
	for _, s := range t.sources {
		if numberOf != nil {
			b = binary.AppendUvarint(b, numberOf(Source{s.terminal, s.epoch}))
			continue
		}
		b = appendText(b, s.terminal)
		b = append(b, s.epoch[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(t.boots)))
	for _, id := range t.boots {
		b = append(b, id[:]...)
	}
	return b
}

// placeOf returns the place of v in a table, and adds it when it is new.
func placeOf[T comparable](table *[]T, v T) uint64 {
	i := slices.Index(*table, v)
	if i < 0 {
		i = len(*table)
		*table = append(*table, v)
	}
	return uint64(i)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (t *tables) appendID(b []byte, id EntryID) []byte {
	b = binary.AppendUvarint(b, placeOf(&t.sources, source{id.Terminal, id.Epoch}))
	return binary.AppendUvarint(b, id.Seq)
}

func (t *tables) appendRef(b []byte, r Ref) []byte {
	return binary.AppendUvarint(b, placeOf(&t.refs, r))
}

// appendEntry appends an entry. Times are written as the distance from the one before.
func (t *tables) appendEntry(b []byte, e *Entry, last *int64) []byte {
	kind := byte(e.Body.Kind())
	if e.At.Known {
		kind |= entryAt
	}
	if e.Uptime.Known {
		kind |= entryUptime
	}
	b = append(b, kind)
	b = t.appendID(b, e.ID)
	if e.At.Known {
		b = binary.AppendVarint(b, e.At.UnixMs-*last)
		*last = e.At.UnixMs
	}
	if e.Uptime.Known {
		b = binary.AppendUvarint(b, placeOf(&t.boots, e.Uptime.Boot))
		b = binary.AppendVarint(b, e.Uptime.Ms)
	}
	b = t.appendRef(b, e.Account)
	b = appendText(b, e.Key)
	return t.appendBody(b, e.Body)
}

// appendTarget appends how another entry is named: 0 for none, 1 for its id, 2 for its key.
func (t *tables) appendTarget(b []byte, to Target) []byte {
	switch {
	case to.IsZero():
		return append(b, 0)
	case to.Key == "":
		return t.appendID(append(b, 1), to.ID)
	}
	b = t.appendID(append(b, 2), to.ID)
	return appendText(b, to.Key)
}

// appendBody appends what a row keeps of a body, without its kind.
func (t *tables) appendBody(b []byte, body Body) []byte {
	switch body := body.(type) {
	case Stamp:
		return binary.AppendVarint(b, int64(body.Stamps))
	case StampVoid:
		return t.appendTarget(b, body.Target)
	case Hold:
		return appendText(binary.AppendVarint(b, int64(body.Stamps)), body.Reward)
	case Release:
		return t.appendTarget(b, body.Target)
	case Redeem:
		b = appendText(binary.AppendVarint(b, int64(body.Stamps)), body.Reward)
		return t.appendTarget(b, body.Hold)
	case Reverse:
		return t.appendTarget(b, body.Target)
	case Adjust:
		return t.appendTarget(binary.AppendVarint(b, int64(body.Stamps)), body.Forgives)
	case Expire:
		return binary.AppendVarint(b, int64(body.Stamps))
	case Link:
		b = t.appendRef(b, body.Card)
		if body.Confirmed {
			return append(b, 1)
		}
		return append(b, 0)
	case Unlink:
		return t.appendRef(b, body.Card)
	case Merge:
		return t.appendRef(b, body.Other)
	case Consent:
		return append(b, byte(body.Purpose))
	}
	return b // Enrol and Erase say no more; a row keeps no others
}
