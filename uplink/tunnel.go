package uplink

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/stampd/stampd/uplink/wire"
)

// maxProxyAnswer is how much a proxy may say before the tunnel is open, in bytes.
const maxProxyAnswer = 16 << 10

// proxyFailure is a proxy that does not do its work.
func proxyFailure(problem, remedy string, cause error) error {
	return &Failure{Stage: wire.UplinkStage_UPLINK_STAGE_PROXY, Problem: problem, Remedy: remedy, cause: cause}
}

// tunnel asks the proxy at the other end of conn for a way to the address, and returns the connection that is one. When
// it fails, the caller still has conn to close. caFile lists the authorities of an https proxy; empty means the system's.
func (p Proxy) tunnel(ctx context.Context, conn net.Conn, address, caFile string) (net.Conn, error) {
	if p.url.Scheme == "https" {
		secure, err := p.encrypt(ctx, conn, caFile)
		if err != nil {
			return nil, err
		}
		conn = secure
	}
	// Whatever blocks below ends with ctx.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var err error
	if p.url.Scheme == "socks5" {
		err = p.socks(ctx, conn, address)
	} else {
		err = p.connect(conn, address)
	}
	if err != nil && ctx.Err() != nil {
		err = proxyFailure(fmt.Sprintf("the proxy at %s accepts connections and does not answer", p.url.Host), "it is overloaded, or no proxy", context.Cause(ctx))
	}
	return conn, err
}

// encrypt shakes hands with an https proxy.
func (p Proxy) encrypt(ctx context.Context, conn net.Conn, caFile string) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.url.Hostname()}
	authorities := "the system's authorities, or set proxy_ca in section [uplink]"
	if caFile != "" {
		authorities = caFile
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, proxyFailure(fmt.Sprintf("cannot read the proxy's CA: %v", err), "check proxy_ca in section [uplink]", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, proxyFailure(fmt.Sprintf("cannot use CA file %s: it holds no certificate", caFile), "check proxy_ca in section [uplink]", nil)
		}
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, handshakeFailure("the proxy", cfg.ServerName, authorities, time.Now(), err)
	}
	return secure, nil
}

// connect sends CONNECT (RFC 9110, section 9.3.6) and reads the answer.
func (p Proxy) connect(conn net.Conn, address string) error {
	var request strings.Builder
	fmt.Fprintf(&request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", address, address)
	if u := p.url.User; u != nil {
		credentials := base64.StdEncoding.EncodeToString([]byte(u.Username() + ":" + password(p.url)))
		fmt.Fprintf(&request, "Proxy-Authorization: Basic %s\r\n", credentials)
	}
	request.WriteString("\r\n")
	broken := func(err error) error {
		return proxyFailure(fmt.Sprintf("the proxy at %s does not answer as a proxy does: %v", p.url.Host, last(err)), "check proxy in section [uplink]: scheme, host and port", err)
	}
	if _, err := io.WriteString(conn, request.String()); err != nil {
		return broken(err)
	}
	r := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	answer, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return broken(errors.New("no HTTP answer"))
	}
	_ = answer.Body.Close() // CONNECT's answer has none
	if answer.StatusCode/100 != 2 {
		return p.refused(address, answer.StatusCode)
	}
	if r.Buffered() > 0 {
		return broken(errors.New("it speaks before the backend does"))
	}
	return nil
}

// refused explains the proxy's no.
func (p Proxy) refused(address string, status int) error {
	said := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch status {
	case http.StatusProxyAuthRequired:
		if p.url.User == nil {
			return proxyFailure(fmt.Sprintf("the proxy at %s wants a user and a password (%s)", p.url.Host, said),
				`put them into proxy in section [uplink]: "http://user:password@host:port"`, nil)
		}
		return proxyFailure(fmt.Sprintf("the proxy at %s does not accept the user and the password (%s)", p.url.Host, said),
			"correct them in proxy in section [uplink]", nil)
	case http.StatusForbidden:
		return proxyFailure(fmt.Sprintf("the proxy at %s does not allow connections to %s (%s)", p.url.Host, address, said),
			"have that address and port allowed", nil)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return proxyFailure(fmt.Sprintf("the proxy at %s cannot reach %s (%s)", p.url.Host, address, said),
			"the backend is down, or the proxy does not know its name", nil)
	}
	return proxyFailure(fmt.Sprintf("the proxy at %s refuses to connect to %s (%s)", p.url.Host, address, said), "ask whoever runs the proxy", nil)
}

// socks asks a SOCKS5 proxy (RFC 1928), which looks the backend's name up itself.
func (p Proxy) socks(ctx context.Context, conn net.Conn, address string) error {
	var auth *proxy.Auth
	if u := p.url.User; u != nil {
		auth = &proxy.Auth{User: u.Username(), Password: password(p.url)}
	}
	d, err := proxy.SOCKS5("tcp", p.url.Host, auth, opened{conn})
	if err != nil {
		return proxyFailure(fmt.Sprintf("cannot use the proxy at %s: %v", p.url.Host, err), "check proxy in section [uplink]", err)
	}
	if _, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", address); err != nil {
		return proxyFailure(fmt.Sprintf("the proxy at %s does not connect to %s: %v", p.url.Host, address, last(err)),
			"check proxy in section [uplink], its user and its password; or the proxy can't reach the backend", err)
	}
	return nil
}

// opened dials nothing: it has a connection.
type opened struct{ conn net.Conn }

func (o opened) Dial(string, string) (net.Conn, error) { return o.conn, nil }

func (o opened) DialContext(context.Context, string, string) (net.Conn, error) { return o.conn, nil }
