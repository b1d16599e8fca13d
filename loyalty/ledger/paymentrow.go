package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/payment"
)

// opState is the rows of payments, by the key of each step: what the payment has come to, or which step was its first. The
// value reaches the disk.
const opState operation = 'P'

// What a row of opState is. The values reach the disk.
const (
	isState = 1 // of a first step: last(1) ‖ had(2) ‖ currency(3) ‖ authorised(8) ‖ captured(8) ‖ refunded(8)
	isLink  = 2 // of any other: the key of the first step
)

const stateRowSize = 1 + 1 + 2 + 3 + 8 + 8 + 8

// rows is what the ledger's rows can be read from, in a transaction and outside of one.
type rows interface {
	Get(b buffer.Bucket, key []byte) []byte
}

// paymentOf returns the key of the first step of the payment that a step is of, and what the payment has come to. A step that
// is not known counts as a first one whose payment has come to nothing.
func paymentOf(r rows, key string) (first string, s payment.State) {
	var row []byte
	first = payment.First(key, func(key string) (string, bool) {
		row = r.Get(buffer.Keys, keyRow(opState, key))
		if len(row) < 2 || row[0] != isLink {
			return "", false
		}
		return string(row[1:]), true
	})
	s, _ = parseState(row)
	return first, s
}

func linkRow(first string) []byte { return append([]byte{isLink}, first...) }

func stateRow(s payment.State) []byte {
	row := make([]byte, 0, stateRowSize)
	row = append(row, isState, byte(s.Last))
	row = binary.BigEndian.AppendUint16(row, s.Had)
	row = append(row, s.Currency[:3]...)
	row = binary.BigEndian.AppendUint64(row, uint64(s.Authorised))
	row = binary.BigEndian.AppendUint64(row, uint64(s.Captured))
	return binary.BigEndian.AppendUint64(row, uint64(s.Refunded))
}

func parseState(row []byte) (s payment.State, ok bool) {
	if len(row) != stateRowSize || row[0] != isState {
		return s, false
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint64(row[at:])) }
	return payment.State{
		Last: payment.Kind(row[1]), Had: binary.BigEndian.Uint16(row[2:]), Currency: string(row[4:7]),
		Authorised: number(7), Captured: number(15), Refunded: number(23),
	}, true
}
