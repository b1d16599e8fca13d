package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// Rows of the terminals and epochs that entries come from, which cards name by a number. The values reach the disk.
const (
	opSource   operation = 'S' // by number; that of 0 has the last one that was given
	opNumberOf operation = 'N' // by epoch and terminal
)

func sourceKey(number uint64) []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(opSource)}, uint32(number))
}

func numberKey(s loyalty.Source) []byte {
	return append(append([]byte{byte(opNumberOf)}, s.Epoch[:]...), s.Terminal...)
}

// sourceOf returns the source with a number, false when there is none.
func sourceOf(r rows) func(uint64) (loyalty.Source, bool) {
	return func(number uint64) (loyalty.Source, bool) {
		row := r.Get(buffer.Keys, sourceKey(number))
		if number == 0 || number > 1<<32-1 || len(row) < 16 {
			return loyalty.Source{}, false
		}
		return loyalty.Source{Epoch: [16]byte(row), Terminal: string(row[16:])}, true
	}
}

// numbers gives sources their numbers.
func numbers(tx *buffer.Tx) func(loyalty.Source) uint64 {
	return func(s loyalty.Source) uint64 {
		key := numberKey(s)
		if row := tx.Get(buffer.Keys, key); len(row) == 4 {
			return uint64(binary.BigEndian.Uint32(row))
		}
		last := uint32(1)
		if row := tx.Get(buffer.Keys, sourceKey(0)); len(row) == 4 {
			last += binary.BigEndian.Uint32(row)
		}
		number := binary.BigEndian.AppendUint32(nil, last)
		tx.Put(buffer.Keys, sourceKey(0), number)
		tx.Put(buffer.Keys, key, number)
		tx.Put(buffer.Keys, sourceKey(uint64(last)), append(s.Epoch[:], s.Terminal...))
		return uint64(last)
	}
}
