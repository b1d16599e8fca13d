package uplink

import (
	"bytes"
	"context"
	"fmt"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// receive takes acks in until the stream ends. It always returns an error.
func (s *session) receive(ctx context.Context) error {
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return err
		}
		ack := m.GetAck()
		if ack == nil {
			continue // a message of a later version
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
	chain, known, err := c.land(ack.GetThrough())
	if err != nil {
		s.alarm(c.id, wire.AuditKind_AUDIT_KIND_FALSE_ACK)
		return err
	}
	if known && c.id.Lane == buffer.Ledger && !bytes.Equal(chain[:], ack.GetChain()) {
		// The records are stored, and stay stored: this is for people to look at.
		s.alarm(c.id, wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH)
	}
	rejects := make([]buffer.Reject, 0, len(ack.GetRejects()))
	for _, r := range ack.GetRejects() {
		s.Log.Error().Stringer("lane", c.id).Uint64("seq", r.GetSeq()).Stringer("reason", r.GetReason()).Msg("backend refused a record; it goes to quarantine")
		rejects = append(rejects, buffer.Reject{Seq: r.GetSeq(), Reason: uint8(r.GetReason())})
	}
	if err := s.Queue.Ack(ctx, c.id, ack.GetThrough(), rejects); err != nil {
		return err
	}
	s.owing.Lock()
	if s.idle() {
		s.stall.Stop()
	} else {
		s.stall.Reset(s.StallAfter)
	}
	s.owing.Unlock()
	s.acknowledged()
	select {
	case s.acks <- struct{}{}:
	default:
	}
	return nil
}

// land takes the batches that an ack covers out of flight. It returns the chain that the terminal has at the ack's
// place, if the ack ends where a batch does.
func (c *cursor) land(through uint64) (chain [buffer.ChainLength]byte, known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if through > c.sent {
		return chain, false, fmt.Errorf("%w: %v through %d, sent through %d", errFalseAck, c.id, through, c.sent)
	}
	n := 0
	for n < len(c.inFlight) && c.inFlight[n].last <= through {
		chain, known = c.inFlight[n].chain, c.inFlight[n].last == through
		n++
	}
	c.inFlight = c.inFlight[n:]
	c.acked = max(c.acked, through)
	return chain, known, nil
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
