package ledger

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// request is a call with an idempotency key.
type request struct {
	op  operation
	key string
	// The hash of what was asked, with the member's reference under the present key and then under each former one: a call may
	// be repeated after the merchant's key was changed.
	bodies [][sha256.Size]byte
}

// newRequest returns the call with a body that names nobody, and with whom it is about.
func newRequest(op operation, key string, body proto.Message, about ...who) (request, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(body)
	if err != nil {
		return request{}, errors.New("cannot encode the request")
	}
	r := request{op: op, key: key}
	generations := 1
	for _, w := range about {
		generations = max(generations, len(w.names()))
	}
	for g := range generations {
		h := sha256.New()
		h.Write(b)
		for _, w := range about {
			if len(w.phone) > 0 {
				h.Write([]byte("phone"))
			}
			if names := w.names(); g < len(names) {
				h.Write(names[g].ref[:])
			}
		}
		r.bodies = append(r.bodies, [sha256.Size]byte(h.Sum(nil)))
	}
	return r, nil
}

// entryRowHeader is what precedes the answer in a row of a call that made an entry: the body's SHA-256, the time, the entry's
// kind and its account.
const entryRowHeader = sha256.Size + 8 + 1 + accountSize

// made is what a row says of the entry that a call made.
type made struct {
	kind    loyalty.Kind
	account loyalty.Ref // zero once the account is erased
	answer  []byte
}

func parseMade(row []byte) (m made, ok bool) {
	if len(row) < entryRowHeader {
		return m, false
	}
	at := sha256.Size + 8
	return made{loyalty.Kind(row[at]), loyalty.Ref(row[at+1 : entryRowHeader]), row[entryRowHeader:]}, true
}

// find looks for the same call. Another body under the key is [ErrKeyReused].
func (r request) find(tx *buffer.Tx) (m made, known bool, err error) {
	row := tx.Get(buffer.Keys, keyRow(r.op, r.key))
	if row == nil {
		return m, false, nil
	}
	m, ok := parseMade(row)
	if !ok {
		return m, false, errKeyRow
	}
	same := 0
	for i := range r.bodies {
		same |= subtle.ConstantTimeCompare(row[:sha256.Size], r.bodies[i][:])
	}
	if same != 1 {
		return m, false, ErrKeyReused
	}
	return m, true, nil
}

// recall looks for the answer that was given to the same call.
func (r request) recall(tx *buffer.Tx, answer proto.Message) (bool, error) {
	m, known, err := r.find(tx)
	if known && proto.Unmarshal(m.answer, answer) != nil {
		return false, errKeyRow
	}
	return known, err
}

// remember stores the answer and what the call made.
func (r request) remember(tx *buffer.Tx, wallMs int64, kind loyalty.Kind, account loyalty.Ref, answer proto.Message) error {
	row := make([]byte, 0, entryRowHeader+64)
	row = append(row, r.bodies[0][:]...)
	row = binary.BigEndian.AppendUint64(row, uint64(wallMs))
	row = append(append(row, byte(kind)), account[:]...)
	row, err := proto.MarshalOptions{}.MarshalAppend(row, answer)
	if err != nil {
		return errors.New("cannot encode the answer")
	}
	tx.Keep(buffer.Keys, keyRow(r.op, r.key), row)
	return nil
}

// isEntryCall reports whether an operation's rows have an entryRowHeader.
func (o operation) isEntryCall() bool {
	switch o {
	case opAward, opRedeem, opVoid, opEnrol, opLink, opUnlink, opMerge, opConsent, opErase:
		return true
	}
	return false
}
