package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// maxLanes is how many lanes a Hello may name.
const maxLanes = 64

// open says Hello and takes the Welcome in.
func (s *session) open(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	if err != nil {
		return err
	}
	s.stream = stream
	states := s.Queue.Lanes()
	states = choose(states)
	hello := &wire.Hello{TerminalId: s.Identity.Terminal, AgentVersion: s.AgentVersion, BootId: s.Clock.BootID()}
	for i, l := range states {
		s.lanes = append(s.lanes, &cursor{id: l.LaneID, index: uint32(i)})
		hello.Lanes = append(hello.Lanes, &wire.LaneState{Lane: wire.Lane(l.Lane), Epoch: l.Epoch[:], Oldest: l.Oldest, Next: l.Next})
	}
	s.named(states)
	s.introduce(hello)
	s.tell(hello)
	greeting := &wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: hello}}
	s.secure.sort.announce(forOverhead, proto.Size(greeting))
	if err := stream.Send(greeting); err != nil {
		_, err = stream.Recv() // it has the reason
		return err
	}
	reply, err := stream.Recv()
	if err != nil {
		return err
	}
	return s.welcomed(ctx, reply.GetWelcome(), states)
}

// choose returns the lanes to name: all of them, or the oldest epochs and the two that take new records. The rest comes
// with the next session.
func choose(states []buffer.LaneState) []buffer.LaneState {
	if len(states) <= maxLanes {
		return states
	}
	last := map[buffer.Lane]int{}
	for i, l := range states {
		last[l.Lane] = i
	}
	chosen := make([]buffer.LaneState, 0, maxLanes)
	for i, l := range states {
		if i == last[l.Lane] || len(chosen) < maxLanes-2 {
			chosen = append(chosen, l)
		}
	}
	return chosen
}

// welcomed moves every lane to the backend's watermark.
func (s *session) welcomed(ctx context.Context, w *wire.Welcome, states []buffer.LaneState) error {
	if w == nil || len(w.GetWatermarks()) != len(states) {
		return errors.New("backend's welcome does not answer the hello")
	}
	s.stall.Stop()
	s.learn(w)
	s.packing = w.GetPacking() >= 1
	s.settle(w)
	for i, mark := range w.GetWatermarks() {
		c, held := s.lanes[i], states[i]
		if held.Lane == buffer.Ledger && mark.GetThrough() < held.Acked {
			s.Log.Error().Uint64("from", mark.GetThrough()+1).Uint64("to", held.Acked).Msg("backend has lost ledger records that it had acknowledged")
			s.alarm(held.LaneID, wire.AuditKind_AUDIT_KIND_BACKEND_FORGOT)
			s.Queue.Rewind(held.LaneID, mark.GetThrough())
		}
		current := !slices.ContainsFunc(states[i+1:], func(l buffer.LaneState) bool { return l.Lane == held.Lane })
		if err := s.believe(ctx, held, mark, current); err != nil {
			return err
		}
		c.acked = min(mark.GetThrough(), held.Next-1)
		c.sent = c.acked
	}
	s.mu.Lock()
	s.state, s.lastErr = wire.UplinkState_UPLINK_STATE_ONLINE, nil
	s.connects++
	s.asking = s.asks
	s.mu.Unlock()
	s.acknowledged()
	select {
	case <-s.hurry: // what was asked for has happened
	default:
	}
	s.Log.Info().Str("backend", s.Backend).Msg("uplink is up")
	return nil
}

// believe takes a watermark over, if it can be true: below the next seq, and in the ledger lane with the chain to show for
// it. What a false one covers is not sent in this session, and stays in the queue. In the current epoch, nobody can have
// more than this process has given, and the session ends; of an earlier one, the file may be an old copy.
func (s *session) believe(ctx context.Context, held buffer.LaneState, mark *wire.Watermark, current bool) error {
	if mark.GetThrough() >= held.Next {
		s.alarm(held.LaneID, wire.AuditKind_AUDIT_KIND_FALSE_ACK)
		if current {
			return fmt.Errorf("%w: welcome says %d of %v, the last one is %d", buffer.ErrFalseAck, mark.GetThrough(), held.LaneID, held.Next-1)
		}
		return nil
	}
	whole := held.Oldest <= held.Acked+1 && s.comparable(held.LaneID, mark.GetThrough()) // else the chains are apart
	if held.Lane == buffer.Ledger && mark.GetThrough() > held.Acked && whole {
		proven, err := s.proven(held.LaneID, mark.GetThrough(), mark.GetChain())
		if err != nil {
			return err
		}
		if !proven {
			s.alarm(held.LaneID, wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH)
			return nil
		}
	}
	return s.Queue.Ack(ctx, held.LaneID, mark.GetThrough(), nil)
}
