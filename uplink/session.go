package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// maxLanes is how many lanes a Hello may name.
	maxLanes = 64
	// maxRecords is how many records a batch may hold.
	maxRecords = 1000
	// flowWindow is HTTP/2's window in both directions. A fixed one keeps gRPC from probing the bandwidth with pings,
	// which cost half as many bytes again as a lone event.
	flowWindow = 64 << 10
	// probeTimeout is how long a probed link may take to answer.
	probeTimeout = 20 * time.Second
)

// Why a session ends, where the client decides by it.
var (
	errNewLane  = errors.New("the queue has a lane that the backend was not told of")
	errStalled  = errors.New("backend has not answered in time")
	errFalseAck = errors.New("backend acknowledged records that were never sent")
)

// session is one stream, from Hello to its end.
type session struct {
	*Client
	stream grpc.BidiStreamingClient[wire.ToBackend, wire.ToTerminal]
	lanes  []*cursor
	acks   chan struct{} // a token when an ack has made room in the window

	asked     *int64  // Hello.clock.boot_ms
	roundTrip *uint32 // milliseconds from then to the Welcome, until the backend was told

	owing sync.Mutex  // held to see whether the backend owes an answer and set stall by it
	stall *time.Timer // ends the session when it owes one for too long
}

// session opens one stream and serves it until something ends it. It always returns an error.
func (c *Client) session(ctx context.Context) error {
	tlsConfig, err := c.TLS.config(c.Identity)
	if err != nil {
		return err
	}
	judgeBy(c.Clock, tlsConfig)
	conn, err := grpc.NewClient("passthrough:///"+c.Backend,
		grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)),
		grpc.WithContextDialer(c.meter.dial),
		grpc.WithStaticStreamWindowSize(flowWindow),
		grpc.WithStaticConnWindowSize(flowWindow),
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent("stampd"),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.Keepalive, Timeout: probeTimeout}),
		// One attempt a connection: the client's own backoff decides on the next.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: grpcbackoff.Config{BaseDelay: c.StallAfter, MaxDelay: c.StallAfter}, MinConnectTimeout: c.StallAfter}),
	)
	if err != nil {
		return fmt.Errorf("cannot reach backend %s: %w", c.Backend, err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	s := &session{Client: c, acks: make(chan struct{}, 1)}
	s.stall = time.AfterFunc(c.StallAfter, func() { cancel(errStalled) })
	defer s.stall.Stop()
	if err := s.open(ctx, conn); err != nil {
		return ended(ctx, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(s.receive(ctx))
	}()
	err = s.send(ctx)
	cancel(err)
	<-done
	return ended(ctx, err)
}

// ended returns what really ended a session: of several errors, the one that came first.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// open says Hello and takes the Welcome in.
func (s *session) open(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	if err != nil {
		return explain(err)
	}
	s.stream = stream
	states := s.Queue.Lanes()
	states = choose(states)
	hello := &wire.Hello{TerminalId: s.Identity.Terminal, AgentVersion: s.AgentVersion, BootId: s.Clock.BootID()}
	for i, l := range states {
		s.lanes = append(s.lanes, &cursor{id: l.LaneID, index: uint32(i)})
		hello.Lanes = append(hello.Lanes, &wire.LaneState{Lane: wire.Lane(l.Lane), Epoch: l.Epoch[:], Oldest: l.Oldest, Next: l.Next})
	}
	s.tell(hello)
	if err := stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: hello}}); err != nil {
		_, err = stream.Recv() // it has the reason
		return explain(err)
	}
	reply, err := stream.Recv()
	if err != nil {
		return explain(err)
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
	for i, mark := range w.GetWatermarks() {
		c, held := s.lanes[i], states[i]
		if mark.GetThrough() >= held.Next {
			s.alarm(held.LaneID, wire.AuditKind_AUDIT_KIND_FALSE_ACK)
		}
		if held.Lane == buffer.Ledger && mark.GetThrough() < held.Acked {
			s.Log.Error().Uint64("from", mark.GetThrough()+1).Uint64("to", held.Acked).Msg("backend has lost ledger records that it had acknowledged")
			s.alarm(held.LaneID, wire.AuditKind_AUDIT_KIND_BACKEND_FORGOT)
			s.Queue.Rewind(held.LaneID, mark.GetThrough())
		}
		if err := s.Queue.Ack(ctx, held.LaneID, mark.GetThrough(), nil); err != nil {
			return err
		}
		c.acked = min(mark.GetThrough(), held.Next-1)
		c.sent = c.acked
	}
	s.mu.Lock()
	s.state, s.lastErr = wire.UplinkState_UPLINK_STATE_ONLINE, ""
	s.connects++
	s.mu.Unlock()
	s.acknowledged()
	select {
	case <-s.hurry: // what was asked for has happened
	default:
	}
	s.Log.Info().Str("backend", s.Backend).Msg("uplink is up")
	return nil
}
