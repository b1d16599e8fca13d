package gateway

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// maxMessage is twice what a batch may have: a record that is too large arrives, and is rejected by name.
	maxMessage = 512 << 10
	// maxReply is ample for an ack that rejects every record of its batches.
	maxReply = 1 << 20
	// window is the flow control window of a stream and of a connection: HTTP/2's own, which needs no word to set. A fixed
	// one needs no pings to find its size.
	window = 1<<16 - 1
	// connectWait is how long a connection may take to shake hands.
	connectWait = 20 * time.Second
	// idleWait is how long a connection may be without a stream.
	idleWait = time.Minute
	// pingAfter and pingWait find a terminal that went without a word.
	pingAfter = 15 * time.Minute
	pingWait  = 20 * time.Second
	// minPing is the shortest time between a terminal's pings. gRPC's own clients never ping more often.
	minPing = 10 * time.Second
)

// NewServer returns a server that serves the gateway, with buffers and windows for many terminals that seldom speak:
// about 53 KiB of memory for each that is connected and quiet. That streams share write buffers, which is half of it, is
// gRPC's default.
func NewServer(g *Gateway, creds credentials.TransportCredentials) *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(creds),
		grpc.ConnectionTimeout(connectWait),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxReply),
		grpc.MaxConcurrentStreams(4),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(0),
		grpc.WriteBufferSize(4096),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleWait, Time: pingAfter, Timeout: pingWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	wire.RegisterUplinkServiceServer(server, g)
	return server
}
