package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// appendOp is one call of Append on its way through the group.
type appendOp struct {
	batches []*checked
	results []Result
	err     error // why the batch after the last result was refused

	id   identity.ID
	boot *BootClock // to be kept for id, unless nil
}

// checked is a batch that passed check, with its records read.
type checked struct {
	Batch
	rows     []uint32 // rows that each record lands as
	rejected []*Rejected
	boots    []seen
	lastWall int64 // the latest time that an event tells which knows its wall clock alone; 0 means none
}

// Append stores batches of one terminal, in their order, up to the first that is refused. When it returns, the results
// are those of the batches before that one, and they are on disk (fdatasync). Callers that arrive together share a
// commit.
//
// What is already stored of a batch is cut; a batch of which nothing is new succeeds. The error is a *[GapError] or
// *[InvalidError] when the next batch was refused, [ErrClosed], one that wraps [ErrFailed], or ctx's; after any but the
// first two it is not known what was stored, and there are no results.
func (l *Log) Append(ctx context.Context, batches ...Batch) ([]Result, error) {
	op := &appendOp{}
	var refused error
	for _, b := range batches {
		if refused = b.check(); refused != nil {
			break
		}
		op.batches = append(op.batches, read(b))
	}
	if len(op.batches) > 0 {
		if err := l.group.Do(ctx, op); err != nil {
			return nil, err
		}
	}
	if op.err != nil {
		return op.results, op.err
	}
	return op.results, refused
}

// KeepBoot keeps what a terminal told of the clock of the boot that it is in, unless more is known of it. Append does the
// same with every batch; KeepBoot is for streams that brought none. The errors are those of Append.
func (l *Log) KeepBoot(ctx context.Context, id identity.ID, b *BootClock) error {
	if err := errors.Join(id.Validate(), b.check()); err != nil {
		return invalid("%v", err)
	}
	return l.group.Do(ctx, &appendOp{id: id, boot: b})
}

// read tries to read every record of a batch.
func read(b Batch) *checked {
	c := &checked{Batch: b, rows: make([]uint32, len(b.Records))}
	for i, record := range b.Records {
		events, reason := Decode(b.Lane, record)
		c.rows[i] = uint32(max(len(events), 1))
		for _, e := range events {
			c.see(e.Clock)
		}
		if reason != wire.RejectReason_REJECT_REASON_UNSPECIFIED {
			c.rejected = append(c.rejected, &Rejected{Index: uint32(i), Reason: uint32(reason)})
		}
	}
	return c
}

// commit stores what callers brought together. The group calls it from one goroutine at a time.
func (l *Log) commit(ops []*appendOp) error {
	l.mu.Lock()
	head, err := l.head, l.err
	l.mu.Unlock()
	if err != nil {
		return err
	}
	before := head
	err = l.db.Update(func(tx *bolt.Tx) error {
		// Keys only grow, so that pages can be filled.
		tx.Bucket(bucketEntries).FillPercent = 1
		for _, op := range ops {
			if op.boot != nil {
				if _, err := keepBoot(tx, op.id, op.boot); err != nil {
					return err
				}
			}
			for _, b := range op.batches {
				result, err := b.store(tx, &head)
				if refusal(err) {
					op.err = err
					break
				}
				if err != nil {
					return err
				}
				op.results = append(op.results, result)
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("%w: cannot commit: %w", ErrFailed, err)
		l.stop(err)
		return err
	}
	if head != before {
		l.mu.Lock()
		l.head = head
		l.wake()
		l.mu.Unlock()
	}
	return nil
}

// refusal reports whether err concerns one batch, and not the log. A refused batch has written nothing.
func refusal(err error) bool {
	_, gap := errors.AsType[*GapError](err)
	_, bad := errors.AsType[*InvalidError](err)
	return gap || bad
}

// store writes what is new of the batch, as entries after head, and the lane's watermark.
func (c *checked) store(tx *bolt.Tx, head *uint64) (Result, error) {
	key := watermarkKey(c.ID, LaneKey{Epoch: c.Epoch, Lane: c.Lane})
	mark, err := getWatermark(tx, key)
	if err != nil {
		return Result{}, err
	}
	segments, through, err := c.plan(mark.Through)
	if err != nil {
		return Result{}, err
	}
	result := Result{}
	mark.Through = through
	var clocks []*BootClock
	if len(segments) > 0 {
		if clocks, err = c.bootClocks(tx); err != nil {
			return Result{}, err
		}
	}
	for i, s := range segments {
		entry := c.entry(s)
		entry.Boots, entry.LastUnixMs = clocks, mark.LastUnixMs
		if c.Lane == wire.Lane_LANE_LEDGER {
			for j, record := range entry.Records {
				mark.Chain = extend(mark.Chain, s.firstSeq+uint64(j), record)
			}
			if i == len(segments)-1 {
				entry.ChainState = c.compare(mark)
			}
		}
		value, err := proto.Marshal(entry)
		if err != nil {
			return Result{}, err
		}
		*head++
		if err := tx.Bucket(bucketEntries).Put(binary.BigEndian.AppendUint64(nil, *head), value); err != nil {
			return Result{}, err
		}
		result.Stored += len(entry.Records)
	}
	if len(segments) > 0 {
		mark.LastUnixMs = max(mark.LastUnixMs, c.lastEvent(clocks))
		if err := putWatermark(tx, key, mark); err != nil {
			return Result{}, err
		}
	}
	result.Through = mark.Through
	result.Chain = mark.Chain
	result.ChainDiffers = c.compare(mark) == ChainState_CHAIN_STATE_DIFFERS
	for _, r := range c.rejected {
		result.Rejects = append(result.Rejects, Reject{Seq: c.seqOf(int(r.Index)), Reason: wire.RejectReason(r.Reason)})
	}
	return result, nil
}

// entry returns a segment of the batch as it is stored.
func (c *checked) entry(s segment) *Entry {
	e := &Entry{
		Merchant:       c.ID.Merchant,
		Terminal:       c.ID.Terminal,
		Epoch:          c.Epoch[:],
		Lane:           uint32(c.Lane),
		FirstSeq:       s.firstSeq,
		Records:        c.Records[s.from:s.to],
		ReceivedUnixMs: c.Received.UnixMilli(),
		Gateway:        c.Gateway,
		AgentVersion:   c.AgentVersion,
		Rows:           uint32(len(s.lost)),
	}
	for _, r := range s.lost {
		e.Lost = append(e.Lost, &Lost{FromSeq: r.From, ToSeq: r.To})
	}
	for _, n := range c.rows[s.from:s.to] {
		e.Rows += n
	}
	for _, r := range c.rejected {
		if at := int(r.Index); at >= s.from && at < s.to {
			e.Rejected = append(e.Rejected, &Rejected{Index: uint32(at - s.from), Reason: r.Reason})
		}
	}
	return e
}

// compare compares the terminal's chain with the log's, which stands at mark.
func (c *checked) compare(mark Watermark) ChainState {
	switch {
	case c.Lane != wire.Lane_LANE_LEDGER || c.lastSeq() != mark.Through:
		return ChainState_CHAIN_STATE_UNSPECIFIED
	case bytes.Equal(c.Chain, mark.Chain[:chainLength]):
		return ChainState_CHAIN_STATE_AGREES
	}
	return ChainState_CHAIN_STATE_DIFFERS
}
