package est

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/identity"
)

func TestEnrollAndReenroll(t *testing.T) {
	s := startTCP(t)
	c, key := s.client(), newKey(t)
	token := s.token(shop)
	chain, err := c.Enroll(t.Context(), shop, token, key)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := identity.FromCertificate(chain[0]); len(chain) != 1 || err != nil || id != shop || !key.PublicKey.Equal(chain[0].PublicKey) {
		t.Errorf("%d certificates, for %v (%v); want one for %v and the key", len(chain), id, err, shop)
	}
	again, err := c.Enroll(t.Context(), shop, token, key)
	if err != nil || !again[0].Equal(chain[0]) {
		t.Errorf("a second time: %v; want the same certificate", err)
	}
	pair := tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: key, Leaf: chain[0]}
	next := newKey(t)
	renewed, err := c.Reenroll(t.Context(), pair, next)
	if err != nil {
		t.Fatal(err)
	}
	if renewed[0].Equal(chain[0]) || !next.PublicKey.Equal(renewed[0].PublicKey) {
		t.Error("renewal brought the old certificate, or one for the old key")
	}
}

func TestRefusedBy(t *testing.T) {
	s := startTCP(t)
	used := s.token(shop)
	if _, err := s.client().Enroll(t.Context(), shop, used, newKey(t)); err != nil {
		t.Fatal(err)
	}
	denied := identity.ID{Merchant: "m1", Terminal: "t3"}
	if _, err := s.deny.Add(deny.Terminal(denied)); err != nil {
		t.Fatal(err)
	}
	other := identity.ID{Merchant: "m1", Terminal: "t2"}
	for name, tt := range map[string]struct {
		id     identity.ID
		token  string
		status int
		reason string
	}{
		"wrong token":               {shop, strings.Repeat("x", 43), 401, "the token is not known"},
		"empty token":               {shop, "", 401, "a one-time token is wanted, as the password of HTTP Basic authentication"},
		"used token":                {shop, used, 403, "the token was used already, with another key"},
		"token of another terminal": {other, s.token(shop), 403, "the token or certificate is for another terminal than the request"},
		"denied terminal":           {denied, s.token(denied), 403, "this terminal, or its certificate, is on the backend's deny list"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.client().Enroll(t.Context(), tt.id, tt.token, newKey(t))
			refused, ok := errors.AsType[*RefusedError](err)
			if !ok || refused.Status != tt.status || refused.Reason != tt.reason {
				t.Errorf("Enroll = %v; want status %d and %q", err, tt.status, tt.reason)
			}
			if err != nil && tt.token != "" && strings.Contains(err.Error(), tt.token) {
				t.Error("the error tells the token")
			}
		})
	}
}

// A server that is not the one that a person vouched for gets no token.
func TestServerMustBeTrusted(t *testing.T) {
	s, other := startTCP(t), startTCP(t)
	tests := map[string]func(c *Client){
		"another authority": func(c *Client) { c.Roots = other.client().Roots },
		"no authority":      func(c *Client) { c.Roots = x509.NewCertPool() },
		"another name":      func(c *Client) { c.Server = Address(strings.Replace(string(c.Server), "127.0.0.1", "localhost", 1)) },
		"1970":              func(c *Client) { c.Now = func() time.Time { return time.Unix(0, 0) } },
		"2038":              func(c *Client) { c.Now = func() time.Time { return time.Unix(1<<31, 0) } },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c := s.client()
			change(c)
			token := s.token(shop)
			_, err := c.Enroll(t.Context(), shop, token, newKey(t))
			if _, unverified := errors.AsType[*tls.CertificateVerificationError](err); !unverified {
				t.Errorf("Enroll = %v, want a certificate that can't be verified", err)
			}
			if _, err := s.client().Enroll(t.Context(), shop, token, newKey(t)); err != nil {
				t.Errorf("the token is used up: %v", err)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := Address(l.Addr().String())
	l.Close()
	_, err = (&Client{Server: addr}).Enroll(t.Context(), shop, "x", newKey(t))
	if err == nil || !strings.HasPrefix(err.Error(), "cannot ask "+string(addr)+": dial tcp") {
		t.Errorf("Enroll = %v", err)
	}
}

func TestAuthority(t *testing.T) {
	s := startTCP(t)
	want := s.ca.Certificate()
	c := &Client{Server: s.addr}
	got, err := c.Authority(t.Context(), sha256.Sum256(want.Raw))
	if err != nil || !got.Equal(want) {
		t.Fatalf("Authority = %v, %v; want the server's", got, err)
	}
	server, err := tls.LoadX509KeyPair(s.file(ca.ServerCertFile), s.file(ca.ServerKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, sum := range map[string][32]byte{"unknown": {1}, "of the server's own certificate": sha256.Sum256(server.Leaf.Raw)} {
		if _, err := c.Authority(t.Context(), sum); !errors.Is(err, ErrFingerprint) {
			t.Errorf("fingerprint %s: Authority = %v, want ErrFingerprint", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Authority(ctx, sha256.Sum256(want.Raw)); !errors.Is(err, context.Canceled) {
		t.Errorf("Authority = %v, want context.Canceled", err)
	}
}

func TestParseFingerprint(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	plain := hex.EncodeToString(sum[:])
	var colons []string
	for i := 0; i < len(plain); i += 2 {
		colons = append(colons, strings.ToUpper(plain[i:i+2]))
	}
	for _, s := range []string{plain, strings.Join(colons, ":")} {
		if got, err := ParseFingerprint(s); err != nil || got != sum {
			t.Errorf("ParseFingerprint(%q) = %x, %v", s, got, err)
		}
	}
	for _, s := range []string{"", plain[2:], plain + "00", "zz" + plain[2:]} {
		if _, err := ParseFingerprint(s); err == nil {
			t.Errorf("ParseFingerprint(%q) took it", s)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"est.example:8444":          "est.example:8444",
		"https://est.example:8444":  "est.example:8444",
		"https://est.example:8444/": "est.example:8444",
		"https://est.example":       "est.example:443",
		"[::1]:8444":                "[::1]:8444",
		"https://[::1]":             "[::1]:443",
	} {
		if got, err := ParseAddress(in); err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "est.example", ":8444", "http://est.example:8444", "https://", "https://user@est.example", "https://est.example/label",
		"https://est.example?x", "https://est.example#x", "est.example:0", "est.example:70000", "est.example:x",
	} {
		if got, err := ParseAddress(in); err == nil {
			t.Errorf("ParseAddress(%q) = %q, want an error", in, got)
		}
	}
}
