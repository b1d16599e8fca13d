package cards

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// What goes into one transaction, at most: so much memory it takes.
const (
	maxLines   = 20_000 // entries of the ledger
	maxOffsets = 50_000 // entries of the log, most of which may be telemetry
)

// errFull ends a read of the log.
var errFull = errors.New("transaction is full")

// line is an entry of the ledger with where it came from.
type line struct {
	offset   uint64
	merchant string
	entry    loyalty.Entry
	received int64 // milliseconds since 1970
}

// stretch is a part of the log, read.
type stretch struct {
	to    uint64 // its last offset
	lines []line
	marks map[string]uint64 // by the key in the bucket
}

// Run folds what the log gets until ctx ends, and then returns nil. An error is final. Call it once.
func (x *Index) Run(ctx context.Context) error {
	granted := make(chan struct{})
	go func() { defer close(granted); x.grantAhead(ctx) }()
	defer func() { <-granted }()
	for ctx.Err() == nil {
		if err := x.Log.Wait(ctx, x.lookedAt()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("cannot follow the log: %w", err)
		}
		s, err := x.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = x.fold(s)
		}
		if err != nil {
			return fmt.Errorf("cannot fold cards: %w", err)
		}
	}
	return nil
}

func (x *Index) lookedAt() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen
}

// read reads what follows in the log.
func (x *Index) read(ctx context.Context) (*stretch, error) {
	s := &stretch{to: x.lookedAt(), marks: map[string]uint64{}}
	from := s.to + 1
	err := x.Log.Read(ctx, from, min(x.Log.Head(), s.to+maxOffsets), func(offset uint64, e *eventlog.Entry) error {
		s.take(offset, e)
		s.to = offset
		if len(s.lines) >= maxLines {
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return s, err
}

// take takes the entries of the ledger out of an entry of the log. What can't be read changes no card: the terminal was
// told so when it sent it, or it is of a later version.
func (s *stretch) take(offset uint64, e *eventlog.Entry) {
	if wire.Lane(e.Lane) != wire.Lane_LANE_LEDGER || len(e.Epoch) != 16 {
		return
	}
	times, before := eventlog.NewTimes(e), len(s.lines)
	id := loyalty.EntryID{Terminal: e.Terminal, Epoch: [16]byte(e.Epoch)}
	for i, record := range e.Records {
		events, _ := eventlog.Decode(wire.Lane_LANE_LEDGER, record)
		if len(events) == 0 {
			continue
		}
		at := times.Of(events[0].GetClock())
		stamp := events[0].GetStamp()
		if stamp == nil {
			continue
		}
		id.Seq = e.FirstSeq + uint64(i)
		one, err := entry.FromWire(id, events[0].GetClock(), stamp)
		if err != nil || one.Programme == "" && ofCard(one.Body.Kind()) {
			continue
		}
		one.At = loyalty.Moment{}
		if at.Source != eventlog.TimeSource_TIME_SOURCE_BOUNDS {
			one.At = loyalty.At(at.UnixMS)
		}
		s.lines = append(s.lines, line{offset, e.Merchant, one, e.ReceivedUnixMs})
	}
	if len(s.lines) > before {
		key := append(marksPrefix(identity.ID{Merchant: e.Merchant, Terminal: e.Terminal}), e.Epoch...)
		s.marks[string(key)] = e.FirstSeq + uint64(len(e.Records)) - 1
	}
}

// ofCard reports whether a kind counts for one programme, and not for the member.
func ofCard(k loyalty.Kind) bool { return k <= loyalty.KindExpire }

// fold puts a stretch into the file, unless it says nothing about cards: then only this process knows that it was read.
func (x *Index) fold(s *stretch) error {
	if len(s.lines) == 0 {
		x.mu.Lock()
		position := x.position
		x.mu.Unlock()
		x.advance(position, s.to)
		return nil
	}
	uses := usesOf(s.lines)
	if len(uses) > 0 {
		// Between the two, a right would be neither outstanding nor spent.
		x.granting.Lock()
		defer x.granting.Unlock()
		if err := x.book.use(uses); err != nil {
			return err
		}
	}
	f := newFolder()
	err := x.db.Update(func(tx *bolt.Tx) error {
		if err := f.fold(tx, s.lines); err != nil {
			return err
		}
		marks := tx.Bucket(bucketMarks)
		for key, seq := range s.marks {
			if err := marks.Put([]byte(key), binary.BigEndian.AppendUint64(nil, seq)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaPosition, binary.BigEndian.AppendUint64(nil, s.to))
	})
	if err != nil {
		return err
	}
	x.advance(s.to, s.to)
	for merchant, m := range f.merchants {
		x.hub.wake(merchant, m.authors)
	}
	x.foresee(s.lines)
	return nil
}
