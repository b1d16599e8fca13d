package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// flowWindow is HTTP/2's window in both directions: the protocol's own, which needs no word to set. A fixed one keeps
	// gRPC from probing the bandwidth with pings, which cost half as many bytes again as a lone event.
	flowWindow = 1<<16 - 1
	// probeTimeout is how long a probed link may take to answer.
	probeTimeout = 20 * time.Second
	// quiet is how long gRPC waits before it tries for itself, in vain.
	quiet = 30 * time.Second
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
	secure *secureConn
	stream grpc.BidiStreamingClient[wire.ToBackend, wire.ToTerminal]
	lanes  []*cursor
	acks   chan struct{} // a token when an ack has made room in the window

	packing bool    // the backend reads packed records
	intake  *intake // nil when neither cards nor settings are taken
	asks    *asks   // nil when no cards are
	pace    *pace

	asked     *int64  // Hello.clock.boot_ms
	roundTrip *uint32 // milliseconds from then to the Welcome, until the backend was told

	owing sync.Mutex  // held to see whether the backend owes an answer and set stall by it
	stall *time.Timer // ends the session when it owes one for too long
}

// session opens one stream and serves it until something ends it. It always returns an error.
func (c *Client) session(ctx context.Context) error {
	tlsConfig, err := c.TLS.config(c.Identity)
	if err != nil {
		return identityFailure(err)
	}
	judgeBy(c.Clock, tlsConfig)
	tlsConfig.ClientSessionCache = c.tickets.of(tlsConfig)
	secure, err := c.dial(ctx, tlsConfig)
	if err != nil {
		return err
	}
	defer secure.Close()
	c.reached(wire.UplinkStage_UPLINK_STAGE_GRPC)
	conn, err := grpc.NewClient("passthrough:///"+c.Backend,
		grpc.WithTransportCredentials(shaken{secure}),
		grpc.WithContextDialer(secure.take),
		grpc.WithAuthority(c.TLS.ServerName),
		grpc.WithStaticStreamWindowSize(flowWindow),
		grpc.WithStaticConnWindowSize(flowWindow),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.Keepalive, Timeout: probeTimeout}),
		// One attempt a connection: gRPC gets no second one, and the client's own backoff decides on the next.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: grpcbackoff.Config{BaseDelay: quiet, MaxDelay: quiet}, MinConnectTimeout: c.StallAfter,
		}),
	)
	if err != nil {
		return fmt.Errorf("cannot reach backend %s: %w", c.Backend, err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	s := &session{Client: c, secure: secure, acks: make(chan struct{}, 1), pace: newPace()}
	s.stall = time.AfterFunc(c.StallAfter, func() { cancel(errStalled) })
	defer s.stall.Stop()
	if err := s.open(ctx, conn); err != nil {
		return s.explain(ended(ctx, err))
	}
	var helpers sync.WaitGroup
	helpers.Go(func() { cancel(s.receive(ctx)) })
	if s.intake != nil {
		helpers.Go(func() { s.intake.run(ctx) })
	}
	err = s.send(ctx)
	cancel(err)
	helpers.Wait()
	s.silence()
	return s.explain(ended(ctx, err))
}
