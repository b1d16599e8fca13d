package uplink

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// dialTimeout is how long all addresses of a name together may take to answer. A connection over the worst cell is up in
// less.
const dialTimeout = 20 * time.Second

// Who is at the other end, in errors.
const (
	theBackend = "the backend"
	theProxy   = "the proxy"
)

// dial opens a TLS connection to the backend, through the proxy if there is one: name, connection, proxy and handshake,
// each of which fails with a [*Failure] of its own. All of it takes StallAfter at most.
func (c *Client) dial(ctx context.Context, cfg *tls.Config) (*secureConn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.StallAfter)
	defer cancel()
	proxy, err := c.Proxy.toward(c.Backend)
	if err != nil {
		return nil, err
	}
	who, address := theBackend, c.Backend
	if proxy.url != nil {
		who, address = theProxy, proxy.url.Host
	}
	dialled, err := c.connect(ctx, address)
	if err != nil {
		return nil, dialFailure(who, address, err)
	}
	metered := c.meter.counted(dialled)
	var conn net.Conn = metered
	if proxy.url != nil {
		c.reached(wire.UplinkStage_UPLINK_STAGE_PROXY)
		if conn, err = proxy.tunnel(ctx, conn, c.Backend, c.ProxyCA); err != nil {
			_ = metered.Close()
			return nil, err
		}
	}
	c.reached(wire.UplinkStage_UPLINK_STAGE_TLS)
	cfg.NextProtos = []string{"h2"}
	secure := tls.Client(conn, cfg)
	begun := time.Now()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = metered.Close()
		return nil, handshakeFailure(theBackend, cfg.ServerName, c.TLS.CA, cfg.Time(), err)
	}
	c.took(func(s *steps) { s.handshake = milliseconds(time.Since(begun)) })
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		_ = metered.Close()
		return nil, &Failure{
			Stage: wire.UplinkStage_UPLINK_STAGE_TLS, Problem: "the backend does not speak HTTP/2",
			Remedy: "what ends TLS in front of the backend must offer h2 in ALPN",
		}
	}
	return newSecureConn(secure, metered), nil
}

// connect looks the host up and connects to the first of its addresses that answers, of both families (RFC 8305).
func (c *Client) connect(ctx context.Context, address string) (net.Conn, error) {
	c.reached(wire.UplinkStage_UPLINK_STAGE_DNS)
	begun := time.Now()
	var once sync.Once // two addresses are tried at a time
	var named time.Time
	d := net.Dialer{
		Timeout:   dialTimeout,
		Resolver:  c.Resolver,
		KeepAlive: -1, // gRPC probes the link, as often as configured; TCP would do so every 15 s, for 600 KB a day
		ControlContext: func(context.Context, string, string, syscall.RawConn) error {
			once.Do(func() { named = time.Now() })
			c.reached(wire.UplinkStage_UPLINK_STAGE_TCP) // the name is known
			return nil
		},
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	once.Do(func() { named = begun })
	c.took(func(s *steps) {
		s.resolve, s.connect = milliseconds(named.Sub(begun)), milliseconds(time.Since(named))
		if host, _, _ := net.SplitHostPort(address); net.ParseIP(host) != nil {
			s.resolve = nil
		}
	})
	return conn, nil
}

// steps is how long each step to the backend took when it was last done, in milliseconds; nil when it never was.
type steps struct{ resolve, connect, handshake *uint32 }

// took notes how long a step has taken.
func (c *Client) took(note func(*steps)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	note(&c.steps)
}

func milliseconds(d time.Duration) *uint32 { return new(uint32(d.Milliseconds())) }
