package uplink

import (
	"context"
	"fmt"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// receive takes acks in until the stream ends, and hands on what is about cards. It always returns an error.
func (s *session) receive(ctx context.Context) error {
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return err
		}
		ack := m.GetAck()
		if ack == nil {
			s.offer(ctx, m)
			continue
		}
		if err := s.acknowledge(ctx, ack); err != nil {
			return err
		}
	}
}

// acknowledge believes an ack only as far as something was sent.
func (s *session) acknowledge(ctx context.Context, ack *wire.Ack) error {
	if int(ack.GetLaneIndex()) >= len(s.lanes) {
		return fmt.Errorf("%w: lane %d of %d", errFalseAck, ack.GetLaneIndex(), len(s.lanes))
	}
	c := s.lanes[ack.GetLaneIndex()]
	landed, err := c.land(ack.GetThrough())
	if err != nil {
		s.alarm(c.id, wire.AuditKind_AUDIT_KIND_FALSE_ACK)
		return err
	}
	rejects, err := s.rejects(c, ack, landed)
	if err != nil {
		s.alarm(c.id, wire.AuditKind_AUDIT_KIND_FALSE_ACK)
		return err
	}
	if err := s.compare(c, ack, landed); err != nil {
		return err
	}
	if !c.doubted {
		if err := s.Queue.Ack(ctx, c.id, ack.GetThrough(), rejects); err != nil {
			return err
		}
	}
	if landed.batches == 0 {
		return nil // nothing new: the backend still owes what it owed
	}
	if c.id.Lane == buffer.Telemetry {
		s.pace.took(time.Since(landed.since))
	}
	s.owing.Lock()
	if s.idle() {
		s.stall.Stop()
	} else {
		s.stall.Reset(s.StallAfter)
	}
	s.owing.Unlock()
	s.advance(c.id, ack.GetThrough())
	s.acknowledged()
	select {
	case s.acks <- struct{}{}:
	default:
	}
	return nil
}

// compare holds the backend's chain, as an ack tells it, to the terminal's. Where they differ, people have to look at it: the
// lane goes on, and from here on nothing of it leaves the queue in this session.
func (s *session) compare(c *cursor, ack *wire.Ack, landed landing) (err error) {
	if c.id.Lane != buffer.Ledger || ack.GetThrough() < landed.from || !s.comparable(c.id, ack.GetThrough()) {
		return nil
	}
	agrees := false
	if landed.exact {
		agrees = c.agrees(landed.chain[:], ack.GetChain(), s.packing)
	} else if agrees, err = s.proven(c.id, ack.GetThrough(), ack.GetChain()); err != nil {
		return err
	}
	if !agrees {
		c.doubted = true
		s.alarm(c.id, wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH)
	}
	return nil
}

// rejects returns the records that an ack refuses by name: in order, and among those that it is the first to cover.
func (s *session) rejects(c *cursor, ack *wire.Ack, landed landing) ([]buffer.Reject, error) {
	if len(ack.GetRejects()) == 0 {
		return nil, nil
	}
	rejects := make([]buffer.Reject, 0, min(len(ack.GetRejects()), maxRecords))
	next := landed.from
	for _, r := range ack.GetRejects() {
		if r.GetSeq() < next || r.GetSeq() > ack.GetThrough() {
			return nil, fmt.Errorf("%w: %v refuses %d, between %d and %d", errFalseAck, c.id, r.GetSeq(), next, ack.GetThrough())
		}
		next = r.GetSeq() + 1
		rejects = append(rejects, buffer.Reject{Seq: r.GetSeq(), Reason: uint8(min(max(r.GetReason(), 0), 255))})
	}
	s.Log.Error().Stringer("lane", c.id).Int("records", len(rejects)).Uint64("first_seq", rejects[0].Seq).Stringer("reason", ack.GetRejects()[0].GetReason()).
		Msg("backend refused records; they go to quarantine")
	return rejects, nil
}

// idle reports whether the backend owes no answer.
func (s *session) idle() bool {
	for _, c := range s.lanes {
		if c.flying() > 0 {
			return false
		}
	}
	return true
}
