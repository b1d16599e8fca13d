package uplink

import (
	"context"
	"sync"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// telemetryBatch is the most payload in a telemetry batch, and telemetryInFlight how many batches of it may be on
	// their way: together what a ledger record may have to wait for on a slow link.
	telemetryBatch    = 64 << 10
	telemetryInFlight = 2
)

// cursor is how far one lane has come in one session.
type cursor struct {
	id    buffer.LaneID
	index uint32 // its place in Hello.lanes

	mu       sync.Mutex // guards everything below
	sent     uint64     // everything up to here was sent
	acked    uint64     // everything up to here was acknowledged
	inFlight []flight   // batches that were sent and not acknowledged, in order
}

// flight is one batch on its way.
type flight struct {
	last  uint64
	chain [buffer.ChainLength]byte
}

// send sends whatever the queue has, until ctx ends or an error does.
func (s *session) send(ctx context.Context) error {
	for {
		changed := s.Queue.Changed() // before looking, so that nothing is missed
		sent, err := s.sendOne()
		if err != nil {
			return err
		}
		if sent {
			continue
		}
		if s.idle() && s.outdated() {
			return errNewLane
		}
		select {
		case <-changed:
		case <-s.acks:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sendOne sends the next batch, of the ledger if it has one, and reports whether there was any.
func (s *session) sendOne() (bool, error) {
	for _, lane := range []buffer.Lane{buffer.Ledger, buffer.Telemetry} {
		free := s.Window
		if lane == buffer.Telemetry {
			free = telemetryInFlight
		}
		for _, c := range s.lanes {
			if c.id.Lane == lane {
				free -= c.flying()
			}
		}
		for _, c := range s.lanes {
			if free <= 0 || c.id.Lane != lane {
				continue
			}
			if sent, err := s.sendBatch(c); sent || err != nil {
				return sent, err
			}
		}
	}
	return false, nil
}

// sendBatch sends the next batch of one lane, if there is anything to send.
func (s *session) sendBatch(c *cursor) (bool, error) {
	c.mu.Lock()
	from := c.sent + 1
	c.mu.Unlock()
	size := s.BatchBytes
	if c.id.Lane == buffer.Telemetry {
		size = min(size, telemetryBatch)
	}
	records, err := s.Queue.Read(c.id, from, maxRecords, size)
	if err != nil {
		return false, err
	}
	batch := &wire.Batch{LaneIndex: c.index, FirstSeq: from}
	last := flight{last: from - 1}
	if len(records) > 0 {
		batch.FirstSeq = records[0].Seq
		last = flight{records[len(records)-1].Seq, records[len(records)-1].Chain}
		for _, r := range records {
			batch.Records = append(batch.Records, r.Payload)
		}
	}
	if gone := s.gone(c, from, batch); gone > 0 {
		batch.Lost = []*wire.SeqRange{{From: from, To: gone}}
		last.last = max(last.last, gone)
	}
	if c.id.Lane == buffer.Ledger {
		batch.Chain = last.chain[:]
	}
	if len(batch.Records) == 0 && len(batch.Lost) == 0 {
		return false, nil
	}
	batch.RoundTripMs, s.roundTrip = s.roundTrip, nil
	s.owing.Lock()
	c.mu.Lock()
	c.sent = last.last
	c.inFlight = append(c.inFlight, last)
	c.mu.Unlock()
	s.stall.Reset(s.StallAfter)
	s.owing.Unlock()
	if err := s.stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Batch{Batch: batch}}); err != nil {
		<-s.stream.Context().Done() // the receiver gets the reason, and ends the session with it
		return false, err
	}
	return true, nil
}

// gone returns the last seq from `from` on that no longer exists, or 0 when the next record is there.
func (s *session) gone(c *cursor, from uint64, batch *wire.Batch) uint64 {
	if len(batch.GetRecords()) > 0 {
		if batch.GetFirstSeq() > from {
			return batch.GetFirstSeq() - 1
		}
		return 0
	}
	for _, l := range s.Queue.Lanes() {
		if l.LaneID == c.id && l.Oldest > from {
			batch.FirstSeq = l.Oldest
			return l.Oldest - 1
		}
	}
	return 0
}

// outdated reports whether the queue has records in a lane that Hello did not name: its file was replaced, or there
// were too many lanes to name and the first ones are done.
func (s *session) outdated() bool {
	known := map[buffer.LaneID]bool{}
	for _, c := range s.lanes {
		known[c.id] = true
	}
	for _, l := range s.Queue.Lanes() {
		if !known[l.LaneID] {
			return true
		}
	}
	return false
}

func (c *cursor) flying() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.inFlight)
}
