package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"

	"github.com/stampd/stampd/uplink/preface"
)

// secureConn is a TLS connection as gRPC gets it. It sends what begins the connection in as few pieces as may be, and
// remembers what the other end said last.
type secureConn struct {
	*tls.Conn
	out   *preface.Writer
	sort  *sorter // below out
	taken atomic.Bool

	mu      sync.Mutex // guards everything below
	spoke   bool       // the backend has sent something
	lastErr error
}

// newSecureConn returns conn, which goes over metered.
func newSecureConn(conn *tls.Conn, metered *meteredConn) *secureConn {
	sort := newSorter(conn, metered)
	return &secureConn{Conn: conn, out: preface.New(sort), sort: sort}
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

// Write sends b, or holds it back for a moment at the beginning of the connection.
func (c *secureConn) Write(b []byte) (int, error) { return c.out.Write(b) }

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
