package uplink

import (
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// maxRecords is how many records a batch may hold.
const maxRecords = 1000

// sendBatch sends the next batch of one lane, if there is anything to send.
func (s *session) sendBatch(c *cursor) (bool, error) {
	batch, end := s.nextBatch(c)
	if batch == nil {
		return false, nil
	}
	message := &wire.ToBackend{Message: &wire.ToBackend_Batch{Batch: batch}}
	if c.id.Lane == buffer.Telemetry && !s.spend(proto.Size(message)) {
		return false, nil
	}
	batch.RoundTripMs, s.roundTrip = s.roundTrip, nil
	if c.id.Lane == buffer.Ledger && s.packing {
		if packed := c.pack.Pack(batch.Records); packed != nil {
			batch.Packed, batch.Records = packed, nil
		}
	}
	s.announce(c.id.Lane, message)
	s.owing.Lock()
	c.depart(end)
	s.stall.Reset(s.StallAfter)
	s.owing.Unlock()
	if err := s.stream.Send(message); err != nil {
		<-s.stream.Context().Done() // the receiver gets the reason, and ends the session with it
		return false, err
	}
	return true, nil
}

// announce says what the next message is for.
func (s *session) announce(lane buffer.Lane, message *wire.ToBackend) {
	what := forTelemetry
	if lane == buffer.Ledger {
		what, s.keeper.paid = forLedger, true
	}
	s.secure.sort.announce(what, proto.Size(message))
}

// nextBatch returns what comes next of one lane, or nil when nothing does, or when the queue can't be read.
func (s *session) nextBatch(c *cursor) (*wire.Batch, flight) {
	from := c.next()
	records, err := s.Queue.Read(c.id, from, maxRecords, s.batchSize(c.id.Lane))
	s.looked(c.id, err)
	if err != nil {
		return nil, flight{} // the stream stays open for what can be read
	}
	batch := &wire.Batch{LaneIndex: c.index, FirstSeq: from}
	end := flight{last: from - 1}
	if len(records) > 0 {
		batch.FirstSeq = records[0].Seq
		end.last, end.chain = records[len(records)-1].Seq, records[len(records)-1].Chain
		for _, r := range records {
			batch.Records = append(batch.Records, r.Payload)
		}
	}
	if gone := s.gone(c, from, batch); gone > 0 {
		batch.Lost = []*wire.SeqRange{{From: from, To: gone}}
		end.last = max(end.last, gone)
	}
	if len(batch.Records) == 0 && len(batch.Lost) == 0 {
		return nil, flight{}
	}
	if c.id.Lane == buffer.Ledger {
		batch.Chain = end.chain[:]
		s.part(c.id, batch, records)
	}
	return batch, end
}

// batchSize returns how many bytes of payload the next batch may have.
func (s *session) batchSize(lane buffer.Lane) int {
	if lane == buffer.Ledger {
		return s.BatchBytes
	}
	size := min(s.BatchBytes, s.pace.batch())
	if room, limited := s.room(); limited {
		size = int(min(int64(size), payloadOf(room)))
	}
	return size
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
