package est

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/enrol"
	"github.com/stampd/stampd/uplink/backend/gateway"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var shop = identity.ID{Merchant: "m1", Terminal: "t1"}

// server is the backend's EST server, with an authority of its own.
type server struct {
	t      *testing.T
	certs  string // the authority's folder, with the server's certificate
	ca     *ca.Authority
	tokens *enrol.Tokens
	deny   *deny.List
	est    *enrol.Server
	addr   Address
	dial   func(context.Context, string, string) (net.Conn, error)
}

// start serves on l at the address addr, which is for the name 127.0.0.1; dial reaches it.
func start(t *testing.T, l net.Listener, life time.Duration) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, certs: filepath.Join(dir, "ca"), addr: "127.0.0.1:443"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ca.Init(s.certs))
	must(ca.IssueServer(s.certs, []string{"127.0.0.1"}, s.certs))
	var err error
	s.ca, err = ca.Load(s.certs)
	must(err)
	s.tokens, err = enrol.OpenTokens(filepath.Join(dir, "tokens"))
	must(err)
	s.deny, err = deny.Open(filepath.Join(dir, "deny"))
	must(err)
	cfg, err := gateway.LoadTLS(s.file(ca.ServerCertFile), s.file(ca.ServerKeyFile), s.file(ca.CertFile), zerolog.Nop())
	must(err)
	s.est = enrol.New(enrol.Options{Authority: s.ca, Tokens: s.tokens, Deny: s.deny, TLS: cfg, Life: life})
	ended := make(chan error, 1)
	go func() { ended <- s.est.Serve(l) }()
	t.Cleanup(func() {
		s.est.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
	})
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		s.addr = Address(addr.String())
	}
	return s
}

// startTCP serves on loopback.
func startTCP(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return start(t, l, 0)
}

// startPipes serves in memory, so that a test's clock may be synctest's.
func startPipes(t *testing.T, life time.Duration) *server {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := start(t, l, life)
	s.dial = l.dial
	return s
}

func (s *server) file(name string) string { return filepath.Join(s.certs, name) }

// client returns a client that trusts the server.
func (s *server) client() *Client {
	s.t.Helper()
	roots, err := Roots(s.file(ca.CertFile))
	if err != nil {
		s.t.Fatal(err)
	}
	return &Client{Server: s.addr, Roots: roots, Dial: s.dial}
}

// token returns a new token for a terminal.
func (s *server) token(id identity.ID) string {
	s.t.Helper()
	text, _, err := s.tokens.New(id, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// enrolled returns files with the terminal's first pair in them.
func (s *server) enrolled() keypair.Files {
	s.t.Helper()
	dir := s.t.TempDir()
	files := keypair.Files{Cert: filepath.Join(dir, "terminal.pem"), Key: filepath.Join(dir, "terminal.key")}
	key, err := files.Next()
	if err != nil {
		s.t.Fatal(err)
	}
	chain, err := s.client().Enroll(s.t.Context(), shop, s.token(shop), key)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := files.Switch(chain); err != nil {
		s.t.Fatal(err)
	}
	return files
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pipes is a listener whose connections are made in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// serial returns the serial number of the pair that is in the files.
func serial(t *testing.T, files keypair.Files) string {
	t.Helper()
	return Serial(leaf(t, files))
}

func leaf(t *testing.T, files keypair.Files) *x509.Certificate {
	t.Helper()
	pair, err := files.Load()
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}
