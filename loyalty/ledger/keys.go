package ledger

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// operation scopes an idempotency key. The values reach the disk.
type operation byte

const (
	opPayment operation = 'p'
	opStamp   operation = 's' // an award of formats 1 and 2; opAward has what is known of the entry too
	opAward   operation = 'a'
	opRedeem  operation = 'r'
	opVoid    operation = 'v'
	opEnrol   operation = 'e'
	opLink    operation = 'l'
	opUnlink  operation = 'u'
	opMerge   operation = 'm'
	opConsent operation = 'c'
	opErase   operation = 'x'
)

// errKeyRow says that a row of the keys bucket can't be read.
var errKeyRow = errors.New("cannot read the answer stored for an idempotency key")

// keyRowHeader is what precedes the answer in a row: the body's SHA-256 and the time.
const keyRowHeader = sha256.Size + 8

// bodyHash identifies a request's body.
func bodyHash(m proto.Message) ([sha256.Size]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return [sha256.Size]byte{}, errors.New("cannot encode the request")
	}
	return sha256.Sum256(b), nil
}

func keyRow(op operation, key string) []byte { return append([]byte{byte(op)}, key...) }

// recall looks an idempotency key up. It reports whether the same body was answered before, and fills in the answer
// given then; another body under the key is [ErrKeyReused].
func recall(tx *buffer.Tx, op operation, key string, body [sha256.Size]byte, answer proto.Message) (bool, error) {
	row := tx.Get(buffer.Keys, keyRow(op, key))
	if row == nil {
		return false, nil
	}
	if len(row) < keyRowHeader {
		return false, errKeyRow
	}
	if subtle.ConstantTimeCompare(row[:sha256.Size], body[:]) != 1 {
		return false, ErrKeyReused
	}
	if proto.Unmarshal(row[keyRowHeader:], answer) != nil {
		return false, errKeyRow
	}
	return true, nil
}

// remember stores the answer to an idempotency key.
func remember(tx *buffer.Tx, op operation, key string, body [sha256.Size]byte, wallMs int64, answer proto.Message) error {
	encoded, err := proto.Marshal(answer)
	if err != nil {
		return errors.New("cannot encode the answer")
	}
	row := make([]byte, 0, keyRowHeader+len(encoded))
	row = append(row, body[:]...)
	row = binary.BigEndian.AppendUint64(row, uint64(wallMs))
	tx.Keep(buffer.Keys, keyRow(op, key), append(row, encoded...))
	return nil
}

// keptFor is how long the answer to a key is kept at least, as far as there is room.
const keptFor = 30 * 24 * time.Hour

// keep says how long what the transaction keeps is wanted.
func keep(tx *buffer.Tx, now *wire.Clock) {
	if m := entry.Moment(now); m.Known {
		tx.KeepUntil(m.UnixMs, m.UnixMs+keptFor.Milliseconds())
		return
	}
	tx.KeepUntil(0, math.MaxInt64)
}
