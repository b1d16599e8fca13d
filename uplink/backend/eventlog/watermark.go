package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// LaneKey names one lane of a terminal in one epoch.
type LaneKey struct {
	Epoch [16]byte
	Lane  wire.Lane
}

// Watermark is what the log has of one lane.
type Watermark struct {
	Through uint64   // everything up to here is stored; 0 means nothing
	Chain   [32]byte // the log's hash chain there: head(n) = SHA-256(head(n-1) ‖ seq ‖ payload), head(0) is all zero; ledger lane only
	// LastUnixMs is the time of the last event, by the backend's clock: milliseconds since 1970. 0 means none, or unknown.
	LastUnixMs int64
}

// A watermark is through, chain and the last event's time. The first programs did not keep the time.
const (
	watermarkSize = 8 + 32 + 8
	withoutTime   = 8 + 32
)

// Watermarks returns the watermarks of a terminal's lanes, in the order of keys.
func (l *Log) Watermarks(id identity.ID, keys []LaneKey) ([]Watermark, error) {
	out := make([]Watermark, len(keys))
	err := l.db.View(func(tx *bolt.Tx) error {
		for i, key := range keys {
			w, err := getWatermark(tx, watermarkKey(id, key))
			if err != nil {
				return err
			}
			out[i] = w
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read watermarks: %w", err)
	}
	return out, nil
}

// watermarkKey is merchant, '/', terminal, '/', epoch, lane. A name has no slash, so no two lanes share a key.
func watermarkKey(id identity.ID, key LaneKey) []byte {
	k := []byte(id.Merchant + "/" + id.Terminal + "/")
	k = append(k, key.Epoch[:]...)
	return append(k, byte(key.Lane))
}

func getWatermark(tx *bolt.Tx, key []byte) (Watermark, error) {
	var w Watermark
	v := tx.Bucket(bucketWatermarks).Get(key)
	if v == nil {
		return w, nil
	}
	if len(v) != watermarkSize && len(v) != withoutTime {
		return w, fmt.Errorf("a watermark has %d bytes, want %d", len(v), watermarkSize)
	}
	w.Through = binary.BigEndian.Uint64(v)
	copy(w.Chain[:], v[8:])
	if len(v) == watermarkSize {
		w.LastUnixMs = int64(binary.BigEndian.Uint64(v[withoutTime:]))
	}
	return w, nil
}

func putWatermark(tx *bolt.Tx, key []byte, w Watermark) error {
	v := make([]byte, 0, watermarkSize)
	v = binary.BigEndian.AppendUint64(v, w.Through)
	v = append(v, w.Chain[:]...)
	return tx.Bucket(bucketWatermarks).Put(key, binary.BigEndian.AppendUint64(v, uint64(w.LastUnixMs)))
}

// extend returns the chain after one more record.
func extend(chain [32]byte, seq uint64, payload []byte) [32]byte {
	var head [32]byte
	h := sha256.New()
	h.Write(chain[:])
	h.Write(binary.BigEndian.AppendUint64(nil, seq))
	h.Write(payload)
	h.Sum(head[:0])
	return head
}
