package loyalty

import (
	"encoding/binary"
	"math"
	"slices"
)

// rowReader reads a row. After the first thing that is not as it should be, bad is set and all that is read is zero.
type rowReader struct {
	b        []byte
	bad      bool
	sourceOf func(number uint64) (Source, bool) // nil when the row has its sources itself
	tables
}

// DecodeRow returns the row of an account or payment card that [Row.Append] wrote. Its error is [ErrRow]. It takes no
// more memory than a small multiple of the bytes.
func DecodeRow(b []byte, ref Ref) (Row, error) {
	d := rowReader{b: b}
	if d.byte() != rowVersion {
		return Row{}, ErrRow
	}
	return d.row(ref)
}

// DecodeNumberedRow is DecodeRow for what [Row.AppendNumbered] wrote. sourceOf returns the source with a number, false when there
// is none.
func DecodeNumberedRow(b []byte, ref Ref, sourceOf func(number uint64) (Source, bool)) (Row, error) {
	d := rowReader{b: b, sourceOf: sourceOf}
	if d.byte() != rowNumbersOnly {
		return Row{}, ErrRow
	}
	return d.row(ref)
}

// row reads what follows the version.
func (d *rowReader) row(ref Ref) (Row, error) {
	flags := d.byte()
	r := Row{AsOf: d.uvarint(), Erased: flags&rowErased != 0}
	if flags&rowMoved != 0 {
		r.To = d.ref()
	}
	if flags&rowExpiry != 0 {
		r.Expiry = Expiry{At(d.varint()), uint32(d.upTo(math.MaxUint32))}
	}
	r.Closed = Sums{d.varint(), d.varint(), d.int32(), d.int32()}
	members := d.uvarint()
	d.readTables(ref)
	if members > uint64(len(d.refs)-1) {
		return Row{}, ErrRow
	}
	if members > 0 {
		r.Members = slices.Clone(d.refs[1 : 1+members])
	}
	for range d.count(2) {
		r.Through = append(r.Through, Mark(d.id()))
	}
	last := int64(0)
	for range d.count(5) {
		r.Open = append(r.Open, d.entry(&last))
	}
	if d.bad || len(d.b) > 0 || flags&^(rowErased|rowMoved|rowExpiry) != 0 || !d.sound(&r) {
		return Row{}, ErrRow
	}
	return r, nil
}

// sound reports whether the row's entries are in order and make sense.
func (d *rowReader) sound(r *Row) bool {
	for i := range r.Open {
		if r.Open[i].problem() != "" || i > 0 && r.Open[i-1].ID.Compare(r.Open[i].ID) >= 0 {
			return false
		}
	}
	return true
}

func (d *rowReader) readTables(ref Ref) {
	d.refs = []Ref{ref}
	for range d.count(len(Ref{})) {
		d.refs = append(d.refs, d.ref())
	}
	size := 17
	if d.sourceOf != nil {
		size = 1
	}
	for range d.count(size) {
		if d.sourceOf != nil {
			s, ok := d.sourceOf(d.uvarint())
			d.bad = d.bad || !ok
			d.sources = append(d.sources, source{s.Terminal, s.Epoch})
			continue
		}
		s := source{terminal: d.text()}
		d.bytes(s.epoch[:])
		d.sources = append(d.sources, s)
	}
	for range d.count(len(BootID{})) {
		var id BootID
		d.bytes(id[:])
		d.boots = append(d.boots, id)
	}
}

// count reads how many things follow that have size bytes each, or more.
func (d *rowReader) count(size int) int {
	return int(d.upTo(uint64(len(d.b) / size)))
}

// upTo reads a number that is at most limit.
func (d *rowReader) upTo(limit uint64) uint64 {
	v := d.uvarint()
	if v > limit {
		d.bad = true
		return 0
	}
	return v
}

func (d *rowReader) byte() byte {
	var b [1]byte
	d.bytes(b[:])
	return b[0]
}

func (d *rowReader) bytes(to []byte) {
	if d.bad || len(d.b) < len(to) {
		d.bad = true
		return
	}
	d.b = d.b[copy(to, d.b):]
}

func (d *rowReader) text() string {
	b := make([]byte, d.count(1))
	d.bytes(b)
	return string(b)
}

func (d *rowReader) ref() (r Ref) {
	d.bytes(r[:])
	return r
}

func (d *rowReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) varint() int64 {
	v, n := binary.Varint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) int32() int32 {
	v := d.varint()
	if v != int64(int32(v)) {
		d.bad = true
		return 0
	}
	return int32(v)
}

// from reads the place of something in a table.
func from[T any](d *rowReader, table []T) (v T) {
	i := d.uvarint()
	if d.bad || i >= uint64(len(table)) {
		d.bad = true
		return v
	}
	return table[i]
}

func (d *rowReader) id() EntryID {
	s := from(d, d.sources)
	return EntryID{s.terminal, s.epoch, d.uvarint()}
}

func (d *rowReader) entry(last *int64) Entry {
	var e Entry
	kind := d.byte()
	e.ID = d.id()
	if kind&entryAt != 0 {
		*last += d.varint()
		e.At = At(*last)
	}
	if kind&entryUptime != 0 {
		e.Uptime = Uptime{Boot: from(d, d.boots), Ms: d.varint(), Known: true}
	}
	e.Account = from(d, d.refs)
	e.Key = d.text()
	e.Body = d.body(Kind(kind & entryKind))
	return e
}

func (d *rowReader) target() Target {
	switch d.byte() {
	case 0:
		return Target{}
	case 1:
		return Target{ID: d.id()}
	case 2:
		return Target{ID: d.id(), Key: d.text()}
	}
	d.bad = true
	return Target{}
}

func (d *rowReader) body(kind Kind) Body {
	switch kind {
	case KindStamp:
		return Stamp{Stamps: d.int32()}
	case KindStampVoid:
		return StampVoid{d.target()}
	case KindHold:
		return Hold{Stamps: d.int32(), Reward: d.text()}
	case KindRelease:
		return Release{d.target()}
	case KindRedeem:
		return Redeem{Stamps: d.int32(), Reward: d.text(), Hold: d.target()}
	case KindReverse:
		return Reverse{d.target()}
	case KindAdjust:
		return Adjust{Stamps: d.int32(), Forgives: d.target()}
	case KindExpire:
		return Expire{d.int32()}
	case KindEnrol:
		return Enrol{}
	case KindLink:
		return Link{Card: from(d, d.refs), Confirmed: d.upTo(1) == 1}
	case KindUnlink:
		return Unlink{from(d, d.refs)}
	case KindMerge:
		return Merge{from(d, d.refs)}
	case KindConsentGrant:
		return Consent{Purpose: Purpose(d.byte()), Granted: true}
	case KindConsentRevoke:
		return Consent{Purpose: Purpose(d.byte())}
	case KindErase:
		return Erase{}
	}
	d.bad = true
	return nil
}
