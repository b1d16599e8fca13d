// Package localapi serves the agent's calls on a unix socket, to the POS app and to people on the terminal: Connect and
// gRPC from one set of handlers, so that curl and a generated client both do.
//
// The agent runs one [Server]. Every request passes the same gates, in this order: who is calling (the kernel says, by
// SO_PEERCRED), its size, its encoding, and the guard against cardholder data; only then does a handler see it. What is
// refused is answered with a code, a reason, the field and a hint, and never with anything that was in the request. The
// package decides nothing about payments or stamps and stores nothing: that is the ledger's.
package localapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/http2"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/est"
	"github.com/stampd/stampd/uplink/identity"
)

// Limits of the socket. A caller that exceeds one is told so; the others notice nothing.
const (
	maxBody         = 64 << 10  // bytes of one request
	maxHeader       = 16 << 10  // bytes of a request's header
	maxRequests     = 512       // requests of the POS app at a time
	maxAdminCalls   = 256       // requests of admins at a time: a POS app gone mad does not keep a technician out
	maxConnections  = 576       // connections of one user: more than requests, so that an excess can be answered
	maxOfStrangers  = 8         // connections of one user who may call nothing
	maxStreams      = 128       // calls at a time on one HTTP/2 connection
	maxReadAhead    = 128 << 10 // bytes received ahead of the handlers on one HTTP/2 connection
	headerTimeout   = 10 * time.Second
	bodyTimeout     = 10 * time.Second // for a request's body, and to take one message of a stream
	callTimeout     = 30 * time.Second // of a call that waits for the disk only
	flushTimeout    = 10*time.Minute + callTimeout
	responseTimeout = 10 * time.Second // to take the answer, after the call
	idleTimeout     = 2 * time.Minute
)

// Options is what a server needs.
type Options struct {
	Socket    string   // path of the unix socket; its directory is created
	POSUIDs   []uint32 // users that may make the POS app's calls
	AdminUIDs []uint32 // users that may make every call, beside root and the agent's own

	Terminal identity.ID
	Version  string
	Ledger   *ledger.Ledger
	Guard    *pci.Guard
	Queue    *buffer.Queue
	Uplink   *uplink.Client
	Renewer  *est.Renewer // of the terminal's certificate; nil means that nothing is known of it
	Board    *hal.Board
	Report   func(*collect.AppReport) (duplicate bool, err error) // counts what an application reports
	Settle   func()                                               // hands over the readings that are held back, before a flush

	Keys func() (queue, member readiness.Key) // how the files of the keys are now; nil means that nobody knows

	Log zerolog.Logger
}

// Server answers the agent's calls. It is safe for concurrent use.
type Server struct {
	Options
	access   access
	patience time.Duration // with a request's body, and with who takes a message of a stream
	alarms   *alarms
	routes   map[string]route
	slots    map[role]chan struct{} // holds one for each request that is served
	streams  streams
	power    power
	noted    *broadcast // of what a watcher may want to know and neither queue nor uplink tells
	listener *listener
	http     *http.Server
	started  time.Time
	stopping context.Context // ends when Shutdown is called, and with it calls that only wait
	stop     context.CancelFunc
}

// Listen takes the socket. Callers can connect when it returns, and are answered once [Server.Serve] runs. It fails with
// [ErrRunning] when another agent answers there, and when the path is taken by anything but a socket.
func Listen(o Options) (*Server, error) {
	s := newServer(o)
	l, err := listen(o.Socket, s.access)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.listener = l
	s.http.ConnState = l.note
	return s, nil
}

func newServer(o Options) *Server {
	s := &Server{
		Options:  o,
		access:   newAccess(o.POSUIDs, o.AdminUIDs),
		patience: bodyTimeout,
		alarms:   newAlarms(),
		slots: map[role]chan struct{}{
			rolePOS:   make(chan struct{}, maxRequests),
			roleAdmin: make(chan struct{}, maxAdminCalls),
		},
		streams: streams{open: map[uint32]int{}},
		noted:   newBroadcast(),
		started: time.Now(),
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.routes = s.table()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     maxReadAhead,
			MaxReceiveBufferPerConnection: maxReadAhead,
			WriteByteTimeout:              responseTimeout, // a stream's own deadline can't end a write to the socket
		},
		ConnContext: withCaller,
		ErrorLog:    log.New(errorLog{o.Log}, "", 0),
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	// The HTTP/2 server is the one of x/net, whose framing gRPC brings in any case: without the copy in net/http, which release
	// builds leave out, the agent is a fifth of a megabyte smaller.
	if err := http2.ConfigureServer(s.http, nil); err != nil { //nolint:staticcheck // what it is deprecated for is what is left out
		panic(err) // it refuses cipher suites that HTTP/2 forbids, and there is no TLS
	}
	return s
}

// Serve answers calls until [Server.Shutdown], and returns nil then.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve %s: %w", s.Socket, err)
	}
	return nil
}

// Shutdown removes the socket, ends calls that only wait, and lets those that record something finish. When ctx ends
// first, it closes their connections; what they recorded stays recorded.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	if closing := s.listener.Close(); !errors.Is(closing, net.ErrClosed) {
		err = errors.Join(err, closing)
	}
	return err
}
