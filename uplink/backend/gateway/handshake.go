package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/credentials"
)

// handshakes is how many handshakes are answered at a time. When 9,900 terminals came back at once, half of them were
// served in 10.6 s with this limit and in 16.4 s without, on two cores.
const handshakes = 8

// NewCredentials returns credentials that shake hands by cfg, answer at most 8 handshakes at a time, and log those that
// fail. A handshake that waits for its peer is not counted, so that slow and silent peers hold up nobody.
func NewCredentials(cfg *tls.Config, logger zerolog.Logger) credentials.TransportCredentials {
	return &creds{
		TransportCredentials: credentials.NewTLS(cfg),
		slots:                make(chan struct{}, handshakes),
		logger:               logger,
	}
}

type creds struct {
	credentials.TransportCredentials
	slots  chan struct{}
	logger zerolog.Logger
}

// ServerHandshake answers one handshake. The caller has set the connection's deadline.
func (c *creds) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	turn := &turnConn{Conn: conn, slots: c.slots}
	secure, info, err := c.TransportCredentials.ServerHandshake(turn)
	turn.finish()
	turn.shaken.Store(err == nil)
	if err != nil && !errors.Is(err, io.EOF) {
		c.logger.Warn().Stringer("remote", conn.RemoteAddr()).Err(err).Msg("connection refused")
	}
	if err != nil {
		return nil, nil, err
	}
	return newSettingsConn(secure), info, nil
}

// Clone returns credentials that share the limit.
func (c *creds) Clone() credentials.TransportCredentials {
	return &creds{TransportCredentials: c.TransportCredentials.Clone(), slots: c.slots, logger: c.logger}
}

// turnConn holds a slot while the server works on its answer to the peer's first message, which is the costly half of
// a handshake, and never while it waits for the peer. The second half needs none, so what was begun is finished before
// more is begun. After that it passes everything through. It is safe for concurrent use, as connections are.
type turnConn struct {
	net.Conn
	slots    chan struct{}
	held     atomic.Bool
	answered atomic.Bool
	second   atomic.Bool // the peer's second half has begun to arrive: its certificate
	shaken   atomic.Bool // hands
}

// Read takes a slot when bytes of the peer's first message have arrived.
func (c *turnConn) Read(p []byte) (int, error) {
	if c.answered.Load() {
		if !c.shaken.Load() {
			c.second.Store(true)
		}
		return c.Conn.Read(p)
	}
	c.release()
	n, err := c.Conn.Read(p)
	if err == nil {
		c.slots <- struct{}{}
		c.held.Store(true)
	}
	return n, err
}

// Write gives the slot back: the answer is ready.
func (c *turnConn) Write(p []byte) (int, error) {
	if !c.answered.Load() {
		c.finish()
	}
	return c.Conn.Write(p)
}

// What a peer whose handshake failed may still send before the connection is closed, and for how long.
const (
	lastWords    = 64 << 10
	lastWordsFor = time.Second
)

// Close closes the connection. When the peer's certificate was refused it first reads what the peer, which takes itself
// for admitted, has sent meanwhile: unread bytes would make the kernel answer with a reset, which takes the alert with it
// that says why.
func (c *turnConn) Close() error {
	c.finish()
	if c.second.Load() && !c.shaken.Load() {
		if err := c.SetReadDeadline(time.Now().Add(lastWordsFor)); err == nil {
			_, _ = io.CopyN(io.Discard, c.Conn, lastWords)
		}
	}
	return c.Conn.Close()
}

// finish ends the part that needs a slot.
func (c *turnConn) finish() {
	c.release()
	c.answered.Store(true)
}

func (c *turnConn) release() {
	if c.held.CompareAndSwap(true, false) {
		<-c.slots
	}
}
