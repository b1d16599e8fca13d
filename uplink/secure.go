package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/credentials"
)

// secureConn is a TLS connection as gRPC gets it. It sends HTTP/2's preface together with the settings, and the
// acknowledgement of the backend's settings together with the request, each of which gRPC writes at once afterwards: that
// saves two TLS records and two TCP segments. It remembers what the other end said last.
type secureConn struct {
	*tls.Conn
	taken atomic.Bool

	mu      sync.Mutex // guards everything below
	held    []byte     // goes with the next write
	writes  int        // that were sent
	spoke   bool       // the backend has sent something
	lastErr error
}

// errTaken means that gRPC wants to connect again, which is the client's to decide.
var errTaken = errors.New("the connection is over")

// take gives the connection to gRPC, once.
func (c *secureConn) take(context.Context, string) (net.Conn, error) {
	if c.taken.Swap(true) {
		return nil, errTaken
	}
	return c, nil
}

// settingsAck is the frame that acknowledges the other end's settings (RFC 9113, section 6.5).
const settingsAck = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"

// Write sends b, or holds it back until the next call when it is the preface, or the first acknowledgement of settings.
func (c *secureConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.writes == 0 && string(b) == http2.ClientPreface || c.writes == 1 && string(b) == settingsAck {
		c.held = slices.Clone(b)
		c.mu.Unlock()
		return len(b), nil
	}
	held := c.held
	c.held = nil
	c.writes++
	c.mu.Unlock()
	if held == nil {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(append(held, b...))
	return max(n-len(held), 0), err
}

// Read reads what the backend sent.
func (c *secureConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoke = c.spoke || n > 0
	if err != nil {
		c.lastErr = err
	}
	return n, err
}

// alert returns what the backend said in TLS when it ended the connection, if it did. In TLS 1.3 it judges the terminal's
// certificate only after the terminal's side of the handshake is done.
func (c *secureConn) alert() (text string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return remoteAlert(c.lastErr)
}

// heard reports whether the backend has sent anything since the handshake.
func (c *secureConn) heard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spoke
}

// shaken is transport credentials for a connection whose handshake is over.
type shaken struct{ conn *secureConn }

// ClientHandshake returns the connection and what is known of the backend.
func (s shaken) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, credentials.TLSInfo{
		State:          s.conn.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// ServerHandshake fails: this is the client's side.
func (s shaken) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info says that this is TLS.
func (s shaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns the same credentials, which nothing changes.
func (s shaken) Clone() credentials.TransportCredentials { return s }

// OverrideServerName changes nothing: the name was checked.
func (s shaken) OverrideServerName(string) error { return nil }
