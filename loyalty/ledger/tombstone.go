package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// opTombstone is the rows of accounts that were erased. The value reaches the disk.
const opTombstone operation = 'T'

func tombstoneKey(ref loyalty.Ref) []byte {
	t := loyalty.TombstoneOf(ref)
	return append([]byte{byte(opTombstone)}, t[:]...)
}

// tombstoneRow returns what a tombstone says: nothing, or which entry about another account erased this one too, since the two
// are one member's as far as the terminal knows: epoch(16) ‖ seq(8).
func tombstoneRow(ref loyalty.Ref, by loyalty.Entry) []byte {
	if by.ID.Seq == 0 || by.Account == ref {
		return []byte{}
	}
	return binary.BigEndian.AppendUint64(by.ID.Epoch[:], by.ID.Seq)
}

const tombstoneSize = 16 + 8

func parseTombstone(row []byte) (by loyalty.EntryID, ok bool) {
	if len(row) != tombstoneSize {
		return by, false
	}
	return loyalty.EntryID{Epoch: [16]byte(row), Seq: binary.BigEndian.Uint64(row[16:])}, true
}

// erased reports whether an account was erased.
func (b *book) erased(ref loyalty.Ref) bool {
	return b.rows.Get(buffer.Keys, tombstoneKey(ref)) != nil
}

// ownerIn returns the account that a payment card's row says it stands for, or none. A tombstone is none.
func (b *book) ownerIn(row loyalty.Row, card loyalty.Ref) loyalty.Ref {
	to := row.CardLink(card).Account
	if b.rows.Get(buffer.Keys, append([]byte{byte(opTombstone)}, to[:]...)) != nil {
		return loyalty.Ref{}
	}
	return to
}
