package est

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/pkcs7"
)

// hostile serves with a certificate that the terminal trusts, and answers as it likes.
func hostile(t *testing.T, s *server, handler http.Handler) *Client {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(s.file(ca.ServerCertFile), s.file(ca.ServerKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(handler)
	h.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	t.Cleanup(h.Close)
	c := s.client()
	c.Server = Address(strings.TrimPrefix(h.URL, "https://"))
	return c
}

// send answers with certificates.
func send(t *testing.T, w http.ResponseWriter, certs ...*x509.Certificate) {
	der, err := pkcs7.Marshal(certs...)
	if err != nil {
		t.Error(err)
	}
	w.Header().Set("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
	_, _ = w.Write(pkcs7.Encode(der))
}

func TestHostileAnswers(t *testing.T) {
	s, stranger := startTCP(t), startTCP(t)
	key := newKey(t)
	sign := func(s *server, id identity.ID, key *ecdsa.PrivateKey) *x509.Certificate {
		cert, err := s.ca.Sign(id, &key.PublicKey, 0)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	serverPair, err := tls.LoadX509KeyPair(s.file(ca.ServerCertFile), s.file(ca.ServerKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	text := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	certs := func(certs ...*x509.Certificate) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { send(t, w, certs...) }
	}
	const media = "application/pkcs7-mime"
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"certificate of another key":       {certs(sign(s, shop, newKey(t))), "it is for another key"},
		"certificate of another terminal":  {certs(sign(s, identity.ID{Merchant: "m1", Terminal: "t9"}, key)), `it is for terminal "t9"`},
		"certificate of another merchant":  {certs(sign(s, identity.ID{Merchant: "m9", Terminal: "t1"}, key)), `of merchant "m9"`},
		"certificate of another authority": {certs(sign(stranger, shop, key)), "unknown authority"},
		"another authority beside it":      {certs(sign(stranger, shop, key), stranger.ca.Certificate()), "unknown authority"},
		"the server's certificate":         {certs(serverPair.Leaf), "it is for another key"},
		"no certificate":                   {certs(), "holds no certificate"},
		"no base64":                        {text(200, media, "%%%"), "it is not base64"},
		"garbage in base64":                {text(200, media, "aGVsbG8="), "not a certs-only PKCS #7 message"},
		"another media type":               {text(200, "text/html", "<h1>Log in</h1>"), "it is not application/pkcs7-mime"},
		"another smime-type":               {text(200, media+"; smime-type=server-generated-key", ""), "it is not application/pkcs7-mime"},
		"nothing":                          {text(200, media, ""), "not a certs-only PKCS #7 message"},
		"huge body":                        {text(200, media, strings.Repeat("A", maxBody+1)), "more than"},
		"endless header": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 4096 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 64))
			}
		}, "cannot ask"},
		"redirect to http":  {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound).ServeHTTP, "HTTP status 302"},
		"redirect to https": {http.RedirectHandler("https://127.0.0.1:1/", http.StatusTemporaryRedirect).ServeHTTP, "HTTP status 307"},
		"no content":        {text(204, "", ""), "HTTP status 204"},
		"failure":           {text(500, "text/plain", "the disk is on fire"), "HTTP status 500"},
		"refusal in colour": {text(403, "text/plain", "\x1b[31mno\x07\nsecond line"), "refused to issue a certificate: [31mno (HTTP status 403)"},
		"refusal in HTML":   {text(404, "text/html", "<p>"), "refused to issue a certificate: not found (HTTP status 404)"},
		"connection cut":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot ask"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/.well-known/est/cacerts", certs(s.ca.Certificate()))
			mux.HandleFunc("/.well-known/est/simpleenroll", tt.answer)
			_, err := hostile(t, s, mux).Enroll(t.Context(), shop, "token", key)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Enroll = %v, want %q", err, tt.want)
			}
		})
	}
}

// Who is not the authority can't become it by saying so: the certificate has to come from one that cacerts names, and a
// key that is nobody's authority signs nothing.
func TestAuthorityThatIsNone(t *testing.T) {
	s := startTCP(t)
	key := newKey(t)
	cert, err := s.ca.Sign(shop, &key.PublicKey, 0)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { send(t, w, cert) })
	if _, err := hostile(t, s, mux).Enroll(t.Context(), shop, "token", key); err == nil {
		t.Error("Enroll took a certificate for its own authority")
	}
}

func TestLater(t *testing.T) {
	s := startTCP(t)
	for name, tt := range map[string]struct {
		status int
		after  string
		want   time.Duration
		text   string
	}{
		"to be approved": {202, "60", time.Minute, "has not approved the request yet"},
		"busy":           {503, "5", 5 * time.Second, "is busy"},
		"too many":       {429, "", 0, "is busy"},
		"a date":         {503, "Wed, 21 Oct 2026 07:28:00 GMT", 0, "is busy"},
		"for ever":       {503, "4294967295", maxAfter, "is busy"},
		"below zero":     {503, "-1", 0, "is busy"},
	} {
		t.Run(name, func(t *testing.T) {
			c := hostile(t, s, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.after)
				w.WriteHeader(tt.status)
			}))
			_, err := c.Enroll(t.Context(), shop, "token", newKey(t))
			later, ok := errors.AsType[*LaterError](err)
			if !ok || later.After != tt.want || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Enroll = %v, want %v and %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestSlowServer(t *testing.T) {
	s := startTCP(t)
	c := hostile(t, s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil { // a byte at a time, for ever
			_, _ = io.WriteString(w, "A")
			_ = http.NewResponseController(w).Flush()
			<-time.After(5 * time.Millisecond)
		}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Enroll(ctx, shop, "token", newKey(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Enroll = %v, want context.DeadlineExceeded", err)
	}
}
