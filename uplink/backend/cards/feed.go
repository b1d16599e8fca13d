package cards

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Sizes of a message with rows. What goes into one is small enough for acks to come between two, and for a terminal to
// store it at once.
const (
	chunkBytes = 32 << 10
	mostBytes  = 200 << 10 // of the rows of one group of merged accounts, which can't be in two messages
	mostRow    = 64 << 10
	maxMarks   = 256
)

// Feed sends one terminal the rows that changed, from where it stands on. Use is bound to one goroutine.
type Feed struct {
	index *Index
	id    identity.ID
	logID []byte
	told  bool   // the terminal knows logID
	from  uint64 // everything that changed before this position was sent
	next  []byte // the key to go on with, within the position; nil: its beginning
}

// CaughtUp returns a channel that is closed once the index has all that the log had when it was opened: before, rows would
// be sent over and over.
func (x *Index) CaughtUp() <-chan struct{} { return x.caughtUp }

// Feed returns the feed of a terminal that has what it told. When that is of another log, or of more than there is, it
// begins anew.
func (x *Index) Feed(id identity.ID, have *wire.LoyaltyState) (*Feed, error) {
	f := &Feed{index: x, id: id, from: 1}
	var ahead bool
	err := x.db.View(func(tx *bolt.Tx) error {
		f.logID = x.logID(tx, id.Merchant)
		if f.told = bytes.Equal(f.logID, have.GetLogId()); f.told {
			f.from = have.GetThrough() + 1
			ahead = have.GetThrough() > readPosition(tx)
		}
		return nil
	})
	if err == nil && ahead {
		x.Logger.Error().Stringer("terminal", id).Msg("terminal has cards from after the end of the log, which was restored from a copy: this merchant's terminals begin anew")
		f.told, f.from = false, 1
		err = x.db.Update(func(tx *bolt.Tx) error {
			life := binary.BigEndian.AppendUint64(nil, x.life(tx, id.Merchant)+1)
			if err := tx.Bucket(bucketLives).Put([]byte(id.Merchant), life); err != nil {
				return err
			}
			f.logID = x.logID(tx, id.Merchant)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read cards: %w", err)
	}
	return f, nil
}

// logID is what a merchant's terminals know the index by.
func (x *Index) logID(tx *bolt.Tx, merchant string) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(x.id[:], x.life(tx, merchant)))
	return sum[:16]
}

func (x *Index) life(tx *bolt.Tx, merchant string) uint64 {
	if v := tx.Bucket(bucketLives).Get([]byte(merchant)); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// Next returns the next message, nil when the terminal has everything.
func (f *Feed) Next() (m *wire.CardRows, err error) {
	rules, err := f.index.Programmes.Set(f.id.Merchant)
	if err != nil {
		return nil, err
	}
	err = f.index.db.View(func(tx *bolt.Tx) error {
		c := closing{accounts: newAccounts(tx, f.id.Merchant), rules: rules, terminal: f.id.Terminal, now: f.index.Now()}
		m, err = f.chunk(tx, &c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read cards: %w", err)
	}
	if f.told && len(m.Rows) == 0 {
		return nil, nil
	}
	if !f.told {
		m.LogId, f.told = f.logID, true
	}
	return m, nil
}

// chunk collects rows until there are enough, or no more.
func (f *Feed) chunk(tx *bolt.Tx, c *closing) (*wire.CardRows, error) {
	position := readPosition(tx)
	m := &wire.CardRows{AsOf: position, Through: position}
	var err error
	if m.Marks, err = marksOf(tx, f.id); err != nil {
		return nil, err
	}
	prefix := []byte(f.id.Merchant + "/")
	at := f.next
	if at == nil {
		at = changedKey(f.id.Merchant, f.from, loyalty.Ref{})
	}
	size, sent := 0, map[loyalty.Ref]bool{}
	cursor := tx.Bucket(bucketChanged).Cursor()
	for k, _ := cursor.Seek(at); bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
		if len(k) != len(prefix)+8+len(loyalty.Ref{}) {
			return nil, errAccount
		}
		ref := loyalty.Ref(k[len(prefix)+8:])
		if sent[ref] {
			continue
		}
		rows, bytes, err := c.rows(ref)
		if err != nil {
			return nil, err
		}
		if len(m.Rows) > 0 && size+bytes > chunkBytes {
			f.from = binary.BigEndian.Uint64(k[len(prefix):])
			f.next = append([]byte(nil), k...)
			m.Through = f.from - 1
			return m, nil
		}
		for _, r := range rows {
			sent[loyalty.Ref(r.Ref)] = true
		}
		if bytes > mostBytes {
			f.index.Logger.Error().Stringer("terminal", f.id).Int("bytes", bytes).Msg("cards of one member are too many to be sent")
			continue
		}
		m.Rows = append(m.Rows, rows...)
		size += bytes
	}
	f.from, f.next = position+1, nil
	return m, nil
}

// marksOf returns how far a terminal's entries are folded.
func marksOf(tx *bolt.Tx, id identity.ID) (marks []*wire.RowMark, err error) {
	prefix := marksPrefix(id)
	c := tx.Bucket(bucketMarks).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(marks) < maxMarks; k, v = c.Next() {
		epoch := k[len(prefix):]
		if len(epoch) != 16 || len(v) != 8 {
			return nil, errAccount
		}
		marks = append(marks, &wire.RowMark{Epoch: bytes.Clone(epoch), Seq: binary.BigEndian.Uint64(v)})
	}
	return marks, nil
}
