package enrol

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/gateway"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/pkcs7"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	shop  = identity.ID{Merchant: "m1", Terminal: "t1"}
	other = identity.ID{Merchant: "m1", Terminal: "t2"}
)

// server is an EST server on a loopback address, with its authority.
type server struct {
	*Server
	t     *testing.T
	addr  string
	certs string // the authority's folder, with the server's certificate
	out   *logBuffer
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, certs: filepath.Join(dir, "ca"), out: &logBuffer{}}
	for _, err := range []error{ca.Init(s.certs), ca.IssueServer(s.certs, []string{"127.0.0.1"}, s.certs)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	logger := zerolog.New(s.out)
	authority, err := ca.Load(s.certs)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := gateway.LoadTLS(s.file(ca.ServerCertFile), s.file(ca.ServerKeyFile), s.file(ca.CertFile), logger)
	if err != nil {
		t.Fatal(err)
	}
	list, err := deny.Open(filepath.Join(dir, "deny"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.VerifyConnection = list.VerifyConnection
	tokens, err := OpenTokens(filepath.Join(dir, "tokens"))
	if err != nil {
		t.Fatal(err)
	}
	s.Server = New(Options{Authority: authority, Tokens: tokens, Deny: list, TLS: cfg, Logger: logger})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Errorf("Serve = %v", err)
		}
	})
	return s
}

func (s *server) file(name string) string { return filepath.Join(s.certs, name) }

// token returns a new token for a terminal.
func (s *server) token(id identity.ID) string {
	s.t.Helper()
	text, _, err := s.Tokens.New(id, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// request returns a PKCS #10 request.
func request(t testing.TB, key crypto.Signer, uris ...*url.URL) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: uris}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// call is one request to a server.
type call struct {
	method, operation string
	token             string           // none when empty
	cert              *tls.Certificate // none when nil
	media             string           // application/pkcs10 when empty
	body              []byte
}

// do makes a call.
func (s *server) do(c call) (int, http.Header, []byte) {
	s.t.Helper()
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AddCert(s.Authority.Certificate())
	if c.cert != nil {
		cfg.Certificates = []tls.Certificate{*c.cert}
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	defer transport.CloseIdleConnections()
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.addr+"/.well-known/est/"+c.operation, bytes.NewReader(c.body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/pkcs10")
	if c.media != "" {
		req.Header.Set("Content-Type", c.media)
	}
	if c.token != "" {
		req.SetBasicAuth("somebody", c.token)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

// enrol asks for a certificate that must be given.
func (s *server) enrol(token string, key crypto.Signer) *x509.Certificate {
	s.t.Helper()
	return s.issued(s.do(call{operation: "simpleenroll", token: token, body: pkcs7.Encode(request(s.t, key))}))
}

func (s *server) issued(status int, header http.Header, body []byte) *x509.Certificate {
	s.t.Helper()
	if status != http.StatusOK {
		s.t.Fatalf("status %d: %s", status, body)
	}
	if got := header.Get("Content-Type"); got != "application/pkcs7-mime; smime-type=certs-only" {
		s.t.Errorf("Content-Type %q", got)
	}
	der, err := pkcs7.Decode(body)
	if err != nil {
		s.t.Fatal(err)
	}
	certs, err := pkcs7.Parse(der)
	if err != nil || len(certs) != 1 {
		s.t.Fatalf("%d certificates, %v; want one", len(certs), err)
	}
	return certs[0]
}

func TestCACerts(t *testing.T) {
	s := start(t)
	status, header, body := s.do(call{method: http.MethodGet, operation: "cacerts"})
	if media := header.Get("Content-Type"); status != http.StatusOK || media != "application/pkcs7-mime" {
		t.Errorf("status %d, Content-Type %q", status, media)
	}
	der, err := pkcs7.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pkcs7.Parse(der)
	if err != nil || len(certs) != 1 || !certs[0].Equal(s.Authority.Certificate()) {
		t.Errorf("certificates %v, %v; want the authority's", certs, err)
	}
	if status, _, _ := s.do(call{method: http.MethodGet, operation: "csrattrs"}); status != http.StatusNoContent {
		t.Errorf("csrattrs: status %d, want 204", status)
	}
}

func TestEnrol(t *testing.T) {
	s := start(t)
	token, key := s.token(shop), newKey(t)
	first := s.enrol(token, key)
	if id, err := identity.FromCertificate(first); err != nil || id != shop {
		t.Errorf("certificate is for %v, %v; want %v", id, err, shop)
	}
	if !key.PublicKey.Equal(first.PublicKey) {
		t.Error("certificate is for another key")
	}
	if again := s.enrol(token, key); !again.Equal(first) {
		t.Error("who asks again gets another certificate")
	}
	status, _, body := s.do(call{operation: "simpleenroll", token: token, body: pkcs7.Encode(request(t, newKey(t)))})
	if status != http.StatusForbidden || !strings.Contains(string(body), "another key") {
		t.Errorf("another key: status %d %q, want 403", status, body)
	}
	if strings.Contains(s.out.String(), token) {
		t.Error("the token is in the log")
	}
}

// The name in a certificate is the token's; what the request says beside it counts for nothing.
func TestIdentityComesFromTheToken(t *testing.T) {
	s := start(t)
	key := newKey(t)
	template := &x509.CertificateRequest{DNSNames: []string{"backend.example"}, EmailAddresses: []string{"root@example"}}
	template.Subject.CommonName = "boss"
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	cert := s.issued(s.do(call{operation: "simpleenroll", token: s.token(shop), body: pkcs7.Encode(der)}))
	if id, err := identity.FromCertificate(cert); err != nil || id != shop {
		t.Errorf("certificate is for %v, %v; want %v", id, err, shop)
	}
	if len(cert.DNSNames)+len(cert.EmailAddresses) > 0 || cert.Subject.CommonName != "" || cert.IsCA {
		t.Errorf("certificate has taken names over: %v %v %v", cert.DNSNames, cert.EmailAddresses, cert.Subject)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t)
	key := newKey(t)
	good := request(t, key)
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	expired, _, err := s.Tokens.New(shop, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	unused := s.token(shop)
	for _, tt := range []struct {
		name   string
		call   call
		status int
		text   string
		at     time.Duration // from now
	}{
		{"no token", call{body: pkcs7.Encode(good)}, 401, "a one-time token is wanted", 0},
		{"unknown token", call{token: strings.Repeat("A", 43), body: pkcs7.Encode(good)}, 401, "not known", 0},
		{"no token at all", call{token: "../../etc/passwd", body: pkcs7.Encode(good)}, 401, "not known", 0},
		{"expired token", call{token: expired, body: pkcs7.Encode(good)}, 401, "expired", time.Hour},
		{"token of another terminal", call{token: unused, body: pkcs7.Encode(request(t, key, other.URI()))}, 403, "another terminal", 0},
		{"another name", call{token: unused, body: pkcs7.Encode(request(t, key, &url.URL{Scheme: "https", Host: "x"}))}, 403, "another terminal", 0},
		{"other media type", call{token: unused, media: "text/plain", body: pkcs7.Encode(good)}, 415, "application/pkcs10", 0},
		{"not base64", call{token: unused, body: []byte("%%%")}, 400, "not base64", 0},
		{"not PKCS #10", call{token: unused, body: pkcs7.Encode([]byte("hello"))}, 400, "not PKCS #10", 0},
		{"forged", call{token: unused, body: pkcs7.Encode(forged)}, 400, "not signed with its key", 0},
		{"P-384", call{token: unused, body: pkcs7.Encode(request(t, p384))}, 400, "P-256", 0},
		{"RSA", call{token: unused, body: pkcs7.Encode(request(t, rsaKey))}, 400, "P-256", 0},
		{"too large", call{token: unused, body: bytes.Repeat([]byte("A"), maxBody+1)}, 413, "at most", 0},
		{"renewal of nothing", call{operation: "simplereenroll", body: pkcs7.Encode(good)}, 401, "certificate that is to be renewed", 0},
		{"no such operation", call{operation: "serverkeygen", body: pkcs7.Encode(good)}, 404, "", 0},
		{"wrong method", call{method: http.MethodGet, operation: "simpleenroll"}, 405, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Tokens.now = func() time.Time { return time.Now().Add(tt.at) }
			if tt.call.operation == "" {
				tt.call.operation = "simpleenroll"
			}
			status, header, body := s.do(tt.call)
			if status != tt.status || !strings.Contains(string(body), tt.text) {
				t.Errorf("status %d %q, want %d with %q", status, body, tt.status, tt.text)
			}
			if asks := header.Get("WWW-Authenticate") != ""; asks != (tt.status == 401) {
				t.Errorf("WWW-Authenticate: %v", asks)
			}
		})
	}
	// None of it has used the token up.
	s.enrol(unused, key)
}

func TestReenrol(t *testing.T) {
	s := start(t)
	key := newKey(t)
	cert := s.enrol(s.token(shop), key)
	pair := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	next := newKey(t)
	renewed := s.issued(s.do(call{operation: "simplereenroll", cert: pair, body: pkcs7.Encode(request(t, next, shop.URI()))}))
	if id, err := identity.FromCertificate(renewed); err != nil || id != shop || !next.PublicKey.Equal(renewed.PublicKey) {
		t.Errorf("renewed certificate is for %v, %v; want %v and the new key", id, err, shop)
	}
	if status, _, body := s.do(call{operation: "simplereenroll", cert: pair, body: pkcs7.Encode(request(t, next, other.URI()))}); status != http.StatusForbidden {
		t.Errorf("renewal for another terminal: status %d %q, want 403", status, body)
	}
}

func TestDenied(t *testing.T) {
	s := start(t)
	key := newKey(t)
	token := s.token(shop)
	cert := s.enrol(token, key)
	pair := &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	ask := func(c call) {
		t.Helper()
		c.body = pkcs7.Encode(request(t, key))
		if status, _, body := s.do(c); status != http.StatusForbidden || !strings.Contains(string(body), "deny list") {
			t.Errorf("%s: status %d %q, want 403 and the deny list", c.operation, status, body)
		}
	}
	add := func(e deny.Entry) {
		t.Helper()
		if _, err := s.Deny.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	add(deny.Certificate(cert.SerialNumber))
	ask(call{operation: "simplereenroll", cert: pair})
	ask(call{operation: "simpleenroll", token: token}) // it would give the denied one again
	s.enrol(s.token(shop), newKey(t))                  // the terminal itself is not denied
	add(deny.Terminal(shop))
	ask(call{operation: "simpleenroll", token: s.token(shop)})
}

// However many ask at the same time, a token is good for one key.
func TestTokenIsWonByOne(t *testing.T) {
	s := start(t)
	token := s.token(shop)
	var mu sync.Mutex
	won := 0
	var callers sync.WaitGroup
	for range 2 * maxRequests {
		key := newKey(t)
		callers.Go(func() {
			for range 2 { // the winner's second answer is the same
				status, _, _ := s.do(call{operation: "simpleenroll", token: token, body: pkcs7.Encode(request(t, key))})
				mu.Lock()
				if status == http.StatusOK {
					won++
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if won != 2 {
		t.Errorf("%d certificates given, want 2 to one caller", won)
	}
}

func TestBusy(t *testing.T) {
	s := start(t)
	s.patience = time.Millisecond
	for range maxRequests {
		s.slots <- struct{}{}
	}
	status, header, _ := s.do(call{operation: "simpleenroll", token: s.token(shop), body: pkcs7.Encode(request(t, newKey(t)))})
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") != comeAgain {
		t.Errorf("status %d, Retry-After %q; want 503 and %s", status, header.Get("Retry-After"), comeAgain)
	}
	// What costs nothing is not held up.
	if status, _, _ := s.do(call{method: http.MethodGet, operation: "cacerts"}); status != http.StatusOK {
		t.Errorf("cacerts: status %d, want 200", status)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(request(f, newKey(f)))
	f.Add(request(f, newKey(f), shop.URI()))
	f.Fuzz(func(t *testing.T, der []byte) {
		if r, err := parse(der); err == nil {
			if key, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
				t.Error("took a key that is not on P-256")
			}
		}
	})
}
