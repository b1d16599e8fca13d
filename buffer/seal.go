package buffer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/stampd/stampd/pci"
)

// sealer makes record values from payloads, and back.
type sealer struct {
	terminal string
	keys     *pci.Sealer
}

// associated returns what a sealed payload is bound to, so that a record moved to another place, queue or terminal
// can't be opened there: len(terminal) ‖ terminal ‖ epoch ‖ lane ‖ seq ‖ key id.
func (s sealer) associated(id LaneID, seq uint64) []byte {
	keyID := s.keys.KeyID()
	a := make([]byte, 0, 1+len(s.terminal)+len(id.Epoch)+1+8+len(keyID))
	a = append(a, byte(len(s.terminal)))
	a = append(a, s.terminal...)
	a = append(a, id.Epoch[:]...)
	a = append(a, byte(id.Lane))
	a = binary.BigEndian.AppendUint64(a, seq)
	return append(a, keyID[:]...)
}

// seal returns the value to store: the chain's head for the ledger, the key's id, the sealed payload.
func (s sealer) seal(id LaneID, seq uint64, chain head, payload []byte) []byte {
	const overhead = 12 + 16 // nonce and tag of AES-256-GCM
	keyID := s.keys.KeyID()
	v := make([]byte, 0, len(chain)+len(keyID)+len(payload)+overhead)
	if id.Lane == Ledger {
		v = append(v, chain[:]...)
	}
	v = append(v, keyID[:]...)
	return s.keys.Seal(v, payload, s.associated(id, seq))
}

// open returns the record in a stored value. A value that can't be opened gives a record without payload, and the
// reason.
func (s sealer) open(id LaneID, seq uint64, value []byte) (Record, error) {
	r := Record{Seq: seq}
	if id.Lane == Ledger {
		if len(value) < len(head{}) {
			return r, fmt.Errorf("cannot open record %d of %v: it is cut short", seq, id)
		}
		copy(r.Chain[:], value)
		value = value[len(head{}):]
	}
	keyID := s.keys.KeyID()
	if len(value) < len(keyID) {
		return r, fmt.Errorf("cannot open record %d of %v: it is cut short", seq, id)
	}
	if string(value[:len(keyID)]) != string(keyID[:]) {
		return r, fmt.Errorf("cannot open record %d of %v: it was sealed with key %x, the key at hand is %x", seq, id, value[:len(keyID)], keyID)
	}
	payload, err := s.keys.Open(nil, value[len(keyID):], s.associated(id, seq))
	if err != nil {
		return r, fmt.Errorf("cannot open record %d of %v: %w", seq, id, err)
	}
	if payload == nil {
		payload = []byte{}
	}
	r.Payload = payload
	return r, nil
}

// fits reports whether a stored value was sealed with the key at hand: it says so, or it can be opened though what it says
// is damaged.
func (s sealer) fits(id LaneID, seq uint64, value []byte) bool {
	keyID, at := s.keys.KeyID(), 0
	if id.Lane == Ledger {
		at = len(head{})
	}
	if len(value) < at+len(keyID) {
		return false
	}
	if string(value[at:][:len(keyID)]) == string(keyID[:]) {
		return true
	}
	_, err := s.keys.Open(nil, value[at+len(keyID):], s.associated(id, seq))
	return err == nil
}

// extend returns the chain's head after one more record.
func (h head) extend(seq uint64, payload []byte) head {
	d := sha256.New()
	d.Write(h[:])
	d.Write(binary.BigEndian.AppendUint64(nil, seq))
	d.Write(payload)
	return head(d.Sum(nil))
}
