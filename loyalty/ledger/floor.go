package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// opFloor is the row of the rewards that were given under the programme's floor. The value reaches the disk.
const opFloor operation = 'f'

// floored is a reward that was given under the floor.
type floored struct {
	account [8]byte // the first bytes of the account's tombstone: enough to count by, and nobody's name
	id      loyalty.EntryID
	at      loyalty.Moment
}

// flooredSize is account(8) ‖ epoch(16) ‖ seq(8) ‖ time is known(1) ‖ ms(8).
const flooredSize = 8 + 16 + 8 + 1 + 8

func flooredOf(ref loyalty.Ref) (account [8]byte) {
	t := loyalty.TombstoneOf(ref)
	copy(account[:], t[:])
	return account
}

// floor returns what was given under the floor and still counts: what the backend has not confirmed, and what was given today.
func (b *book) floor() []floored {
	row := b.rows.Get(buffer.Keys, []byte{byte(opFloor)})
	var list []floored
	for ; len(row) >= flooredSize; row = row[flooredSize:] {
		f := floored{account: [8]byte(row), id: loyalty.EntryID{
			Terminal: b.l.Terminal, Epoch: [16]byte(row[8:]), Seq: binary.BigEndian.Uint64(row[24:]),
		}}
		if row[32] == 1 {
			f.at = loyalty.At(int64(binary.BigEndian.Uint64(row[33:])))
		}
		if today, known := b.today(f); b.l.unconfirmed(f.id) || known && today {
			list = append(list, f)
		}
	}
	return list
}

// today reports whether a reward was given in this day of the shop, and false when no clock tells.
func (b *book) today(f floored) (today, known bool) {
	then, knownThen := dayOf(f.at, b.zone)
	now, knownNow := dayOf(nowOf(b.clock, nil).Wall, b.zone)
	return then == now, knownThen && knownNow
}

// unconfirmed reports whether the backend has not said yet that it has an entry.
func (l *Ledger) unconfirmed(id loyalty.EntryID) bool {
	for _, lane := range l.Queue.Lanes() {
		if lane.Lane == buffer.Ledger && lane.Epoch == id.Epoch {
			return id.Seq > lane.Acked
		}
	}
	return false // what is not there any more, the backend has
}

// floored returns how many rewards count against the floor. What was given on a day that nobody knows counts until the backend
// has it.
func (b *book) floored(ref loyalty.Ref) (n loyalty.Floored) {
	account := flooredOf(ref)
	for _, f := range b.floor() {
		unconfirmed := b.l.unconfirmed(f.id)
		if unconfirmed {
			n.Terminal++
		}
		if today, known := b.today(f); f.account == account && (known && today || !known && unconfirmed) {
			n.AccountToday++
		}
	}
	return n
}

// noteFloor notes a reward that was given under the floor.
func (b *book) noteFloor(ref loyalty.Ref, e loyalty.Entry) {
	var row []byte
	for _, f := range append(b.floor(), floored{flooredOf(ref), e.ID, e.At}) {
		row = append(row, f.account[:]...)
		row = append(row, f.id.Epoch[:]...)
		row = binary.BigEndian.AppendUint64(row, f.id.Seq)
		known := byte(0)
		if f.at.Known {
			known = 1
		}
		row = binary.BigEndian.AppendUint64(append(row, known), uint64(f.at.UnixMs))
	}
	b.tx.Put(buffer.Keys, []byte{byte(opFloor)}, row)
}
