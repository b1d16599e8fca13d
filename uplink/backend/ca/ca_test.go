package ca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/identity"
)

var shop = identity.ID{Merchant: "m1", Terminal: "t1"}

func newAuthority(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHandshake(t *testing.T) {
	dir := newAuthority(t)
	if err := IssueServer(dir, []string{"backend.example", "127.0.0.1", "::1"}, dir); err != nil {
		t.Fatal(err)
	}
	if err := IssueTerminal(dir, shop, dir); err != nil {
		t.Fatal(err)
	}
	other := newAuthority(t)
	if err := IssueTerminal(other, shop, other); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		terminal string // folder of the terminal's certificate
		host     string
		ok       bool
	}{
		{"by name", dir, "backend.example", true},
		{"by address", dir, "127.0.0.1", true},
		{"by IPv6 address", dir, "::1", true},
		{"by another name", dir, "other.example", false},
		{"from another authority", other, "backend.example", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(read(t, dir, CertFile))
			pair := func(dir, cert, key string) []tls.Certificate {
				p, err := tls.LoadX509KeyPair(filepath.Join(dir, cert), filepath.Join(dir, key))
				if err != nil {
					t.Fatal(err)
				}
				return []tls.Certificate{p}
			}
			c, s := loopback(t)
			defer c.Close()
			defer s.Close()
			client := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: tt.host, Certificates: pair(tt.terminal, TerminalCertFile, TerminalKeyFile)})
			server := tls.Server(s, &tls.Config{ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, Certificates: pair(dir, ServerCertFile, ServerKeyFile)})
			go func() {
				if client.Handshake() != nil {
					c.Close()
				}
				_, _ = io.Copy(io.Discard, client)
			}()
			err := server.Handshake()
			if (err == nil) != tt.ok {
				t.Fatalf("handshake: %v, want ok %v", err, tt.ok)
			}
			if !tt.ok {
				return
			}
			chain := server.ConnectionState().VerifiedChains[0]
			if got, err := identity.FromCertificate(chain[0]); err != nil || got != shop {
				t.Errorf("identity = %v, %v; want %v", got, err, shop)
			}
			if len(chain) != 2 {
				t.Errorf("chain has %d certificates, want leaf and authority", len(chain))
			}
		})
	}
}

// loopback returns both ends of a TCP connection. A pipe would not do: its writer waits for the reader, and a peer that
// gives up has something to write.
func loopback(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestCertificates(t *testing.T) {
	dir := newAuthority(t)
	out := filepath.Join(t.TempDir(), "out")
	if err := IssueTerminal(dir, shop, out); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, TerminalCertFile), filepath.Join(out, TerminalKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	leaf := pair.Leaf
	if len(pair.Certificate) != 1 {
		t.Errorf("%d certificates in the chain file, want the leaf only", len(pair.Certificate))
	}
	if got := time.Until(leaf.NotAfter).Round(time.Hour); got != 90*24*time.Hour {
		t.Errorf("leaf lasts %v, want 90 days", got)
	}
	if leaf.Subject.String() != "" {
		t.Errorf("subject = %q: a name beside the URI invites its use", leaf.Subject)
	}
	if n := leaf.SerialNumber.BitLen(); n < 64 || n > 128 {
		t.Errorf("serial has %d bits, want about 128", n)
	}
	a, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if years := time.Until(a.cert.NotAfter).Hours() / 24 / 365.25; years < 9.99 || years > 10.01 {
		t.Errorf("authority lasts %.2f years, want 10", years)
	}
	modes := map[string]os.FileMode{
		filepath.Join(dir, keyFile):         0o600,
		filepath.Join(dir, tenantFile):      0o600,
		filepath.Join(dir, CertFile):        0o644,
		filepath.Join(out, TerminalKeyFile): 0o600,
		filepath.Join(out, MemberKeyFile):   0o600,
		filepath.Join(out, CertFile):        0o644,
	}
	for path, want := range modes {
		if fi, err := os.Stat(path); err != nil || fi.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
	left, _ := filepath.Glob(filepath.Join(out, ".tmp-*"))
	if left != nil {
		t.Errorf("temporary files left: %v", left)
	}
}

func TestMemberKey(t *testing.T) {
	dir, other := newAuthority(t), newAuthority(t)
	key := func(ca string, id identity.ID) string {
		out := t.TempDir()
		if err := IssueTerminal(ca, id, out); err != nil {
			t.Fatal(err)
		}
		return string(read(t, out, MemberKeyFile))
	}
	one := key(dir, shop)
	if len(one) != 65 || one[64] != '\n' || strings.Trim(one[:64], "0123456789abcdef") != "" {
		t.Fatalf("member key file has %d bytes, want 64 hex digits and a newline", len(one))
	}
	if key(dir, identity.ID{Merchant: "m1", Terminal: "t2"}) != one {
		t.Error("two terminals of one merchant have different keys")
	}
	if key(dir, identity.ID{Merchant: "m2", Terminal: "t1"}) == one {
		t.Error("two merchants have the same key")
	}
	if key(other, shop) == one {
		t.Error("two authorities give the same key")
	}
}

// The vector was computed with HMAC-SHA-256 by hand: PRK = HMAC(32 zero bytes, root), T(1) = HMAC(PRK, info || 0x01).
func TestMemberKeyVector(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, tenantFile), []byte(strings.Repeat("0b", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := memberKey(dir, "m1")
	if err != nil {
		t.Fatal(err)
	}
	if want := "62d0543b4081d0c998c110a05750dd1b6ce08b15a1e9820f4505a714d107fe83\n"; string(hexKey(got)) != want {
		t.Errorf("member key = %s want %s", hexKey(got), want)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	for _, name := range []string{CertFile, keyFile, tenantFile} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Init(dir); !errors.Is(err, ErrExists) {
				t.Fatalf("Init = %v, want ErrExists", err)
			}
			if string(read(t, path)) != "mine" {
				t.Error("Init changed the file")
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("Init left %d files, want 1", len(entries))
			}
		})
	}
}

func TestIssueKeepsAnotherAuthority(t *testing.T) {
	dir, other := newAuthority(t), newAuthority(t)
	before := read(t, other, CertFile)
	if err := IssueServer(dir, []string{"localhost"}, other); !errors.Is(err, ErrOtherAuthority) {
		t.Errorf("IssueServer = %v, want ErrOtherAuthority", err)
	}
	if !bytes.Equal(before, read(t, other, CertFile)) {
		t.Error("another authority's certificate was replaced")
	}
	out := t.TempDir()
	if err := IssueTerminal(dir, shop, out); err != nil {
		t.Fatal(err)
	}
	if err := IssueTerminal(dir, identity.ID{Merchant: "m2", Terminal: "t1"}, out); !errors.Is(err, ErrOtherMerchant) {
		t.Errorf("IssueTerminal of another merchant = %v, want ErrOtherMerchant", err)
	}
	first := read(t, out, TerminalCertFile)
	if err := IssueTerminal(dir, shop, out); err != nil {
		t.Errorf("renewal = %v", err)
	}
	if bytes.Equal(first, read(t, out, TerminalCertFile)) {
		t.Error("renewal left the old certificate")
	}
}

func TestIssueRefusals(t *testing.T) {
	dir := newAuthority(t)
	t.Run("no authority", func(t *testing.T) {
		if err := IssueServer(t.TempDir(), []string{"localhost"}, t.TempDir()); !errors.Is(err, ErrNone) {
			t.Errorf("IssueServer = %v, want ErrNone", err)
		}
	})
	for _, hosts := range [][]string{nil, {""}, {"a b"}, {"-a"}, {"a..b"}, {"*.example"}, {"localhost", "http://x"}, {strings.Repeat("a", 64)}} {
		if err := IssueServer(dir, hosts, t.TempDir()); !errors.Is(err, ErrHost) {
			t.Errorf("IssueServer(%q) = %v, want ErrHost", hosts, err)
		}
	}
	if err := IssueTerminal(dir, identity.ID{Merchant: "M", Terminal: "t"}, t.TempDir()); err == nil {
		t.Error("IssueTerminal took a capital letter")
	}
	t.Run("key of another authority", func(t *testing.T) {
		mixed, other := newAuthority(t), newAuthority(t)
		if err := os.WriteFile(filepath.Join(mixed, keyFile), read(t, other, keyFile), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := IssueTerminal(mixed, shop, t.TempDir()); err == nil {
			t.Error("issued with a key that is not the certificate's")
		}
	})
}
