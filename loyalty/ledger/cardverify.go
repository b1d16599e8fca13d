package ledger

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// isCardsRow reports whether a row of the keys bucket is one of the cards that is no answer to a call, and whether it can be
// read.
func isCardsRow(key, row []byte) (known, ok bool) {
	if len(key) == 0 {
		return false, false
	}
	if buffer.IsWriteAnew(key) {
		return true, true
	}
	switch operation(key[0]) {
	case opRules:
		return true, len(key) == 1 && proto.Unmarshal(row, new(wire.Programmes)) == nil
	case opPlace:
		return true, len(key) == 1 && len(row) == placeSize
	case opFloor:
		return true, len(key) == 1 && len(row)%flooredSize == 0
	case opCounts:
		return true, len(key) == 1 && len(row)%countedSize == 0
	case opTombstone:
		return true, len(key) == 1+len(loyalty.Tombstone{}) && (len(row) == 0 || len(row) == tombstoneSize)
	case opDrawer:
		return true, len(key) == 1+2 && len(row) == drawerKeySize
	case opSource:
		return true, len(key) == 1+4 && (len(row) >= 16 || len(row) == 4)
	case opNumberOf:
		return true, len(key) >= 1+16 && len(row) == 4
	case opAwaited:
		return true, len(key) > 2 && len(row) == 0
	case opLeases:
		_, err := parseLeases(row, loyalty.Ref{}, "")
		return true, len(key) == 1+accountSize && err == nil
	}
	return false, false
}

// has reports whether a bucket has a key.
func (v *rowVerifier) has(b buffer.Bucket, key []byte) bool {
	for k := range v.file.Rows(b, key) {
		return bytes.Equal(k, key)
	}
	return false
}

// cards looks at each card: whether it can be read, and names records that were made.
func (v *rowVerifier) cards() {
	exact := v.file.Complete()
	terminal := v.file.State().Terminal
	for key, row := range v.file.Rows(buffer.Cards, nil) {
		_, n, ok := parseCardKey(key)
		if ok && len(row) == sumRowSize {
			v.sum(key, row, exact)
			continue
		}
		card, err := decodeCard(v, n, n.ref(), row)
		if !ok || err != nil {
			v.find("cards", buffer.Epoch{}, 0, "a card can't be read")
			continue
		}
		for i := range card.Open {
			if id := card.Open[i].ID; id.Terminal == terminal {
				v.made("cards", id.Epoch, id.Seq)
			}
		}
		for _, m := range card.Through {
			if l, held := v.lanes[m.Epoch]; held && m.Terminal == terminal && m.Seq >= l.Next {
				v.find("cards", m.Epoch, m.Seq, "a row names the record, and the lane ends with %d", l.Next-1)
			}
		}
	}
	v.cardless()
}

// Get returns a row of the file, or nil.
func (v *rowVerifier) Get(b buffer.Bucket, key []byte) []byte {
	for k, row := range v.file.Rows(b, key) {
		if bytes.Equal(k, key) {
			return row
		}
		break
	}
	return nil
}

// sum looks whether a card of formats 1 and 2 is what its entries come to. Where entries were let go, it may be more.
func (v *rowVerifier) sum(key, row []byte, exact bool) {
	var sum int64
	for entry, given := range v.file.Rows(buffer.Entries, key) {
		if !bytes.HasPrefix(entry, key) {
			break
		}
		if card, _, _, err := parseEntry(entry, given); err == nil && bytes.Equal(card, key) {
			sum += int64(stampsIn(given))
		}
	}
	if has := int64(stampsIn(row)); sum > has || exact && sum != has {
		v.find("cards", buffer.Epoch{}, 0, "a card has %d stamps, and its entries come to %d", has, sum)
	}
}

// records looks whether each record of an entry is in the rows that it belongs to.
func (v *rowVerifier) records() {
	terminal := v.file.State().Terminal
	for _, l := range v.lanes {
		for r := range v.file.Records(l.LaneID, l.Acked+1) {
			event := new(wire.Event)
			if r.Problem != nil || proto.Unmarshal(r.Payload, event) != nil || event.GetStamp() == nil {
				continue
			}
			e, err := entry.FromWire(loyalty.EntryID{Terminal: terminal, Epoch: l.Epoch, Seq: r.Seq}, event.GetClock(), event.GetStamp())
			if err != nil {
				v.find("ledger", l.Epoch, r.Seq, "the record is no entry that makes sense")
				continue
			}
			for _, ref := range e.Rows() {
				if problem := v.missing(e, ref); problem != "" {
					v.find("ledger", l.Epoch, r.Seq, "%s", problem)
				}
			}
		}
	}
}

// missing returns what is wrong with the row that an entry belongs to, or "". A row that the backend made may have the entry
// in its sums.
func (v *rowVerifier) missing(e loyalty.Entry, ref loyalty.Ref) string {
	other := e.Account
	if m, ok := e.Body.(loyalty.Merge); ok {
		other = m.Other
	}
	for _, name := range []loyalty.Ref{ref, e.Account, other} {
		if v.has(buffer.Keys, tombstoneKey(name)) {
			return ""
		}
	}
	if v.has(buffer.Cards, sumKey(e.Programme, ref)) {
		return "" // it has a sum
	}
	value := v.Get(buffer.Cards, cardKey(e.Programme, ref))
	if value == nil {
		return "the record's card is not there"
	}
	row, err := decodeCard(v, nameOf(ref), ref, value)
	if err != nil || row.Erased {
		return "" // told of already
	}
	return notIn(row, e)
}

func notIn(row loyalty.Row, e loyalty.Entry) string {
	there := false
	for i := range row.Open {
		if row.Open[i].ID == e.ID {
			there, e.Key = true, row.Open[i].Key // a row has the key only where another entry names it
		}
	}
	switch changed := row.Apply(e); {
	case there && changed:
		return "the card has another entry in the record's place"
	case changed && row.AsOf == 0:
		return "the record's card does not have its entry"
	}
	return ""
}
