package ledger

import (
	"encoding/binary"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// opPlace is the row that says how far the terminal is in what the backend sends. The value reaches the disk.
const opPlace operation = 'z'

func placeKey() []byte { return []byte{byte(opPlace)} }

// place is log id(16) ‖ position(8) ‖ number of the last lease(8).
type place struct {
	log     [16]byte // zero: there are no rows
	through uint64
	lease   uint64
}

const placeSize = 16 + 8 + 8

// readPlace returns how far the terminal is. A row that can't be read counts as none: what it said comes again.
func readPlace(r rows) (p place) {
	row := r.Get(buffer.Keys, placeKey())
	if len(row) == placeSize {
		p = place{[16]byte(row), binary.BigEndian.Uint64(row[16:]), binary.BigEndian.Uint64(row[24:])}
	}
	return p
}

func (p place) row() []byte {
	row := binary.BigEndian.AppendUint64(p.log[:], p.through)
	return binary.BigEndian.AppendUint64(row, p.lease)
}

// Have returns what the terminal has of the merchant's cards, rules and leases.
//
// Errors: the causes of package buffer.
func (l *Ledger) Have() (*wire.LoyaltyState, error) {
	have := new(wire.LoyaltyState)
	err := l.Queue.View(func(tx *buffer.ReadTx) error {
		p := readPlace(tx)
		if p.log != [16]byte{} {
			have.LogId, have.Through = p.log[:], p.through
		}
		have.LeaseNumber = p.lease
		if sent, ok := parseRules(tx); ok {
			have.ProgrammesTag = sent.GetTag()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return have, nil
}
