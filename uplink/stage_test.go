package uplink_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Stages, in short.
const (
	atIdentity = wire.UplinkStage_UPLINK_STAGE_IDENTITY
	atDNS      = wire.UplinkStage_UPLINK_STAGE_DNS
	atTCP      = wire.UplinkStage_UPLINK_STAGE_TCP
	atProxy    = wire.UplinkStage_UPLINK_STAGE_PROXY
	atTLS      = wire.UplinkStage_UPLINK_STAGE_TLS
	atGRPC     = wire.UplinkStage_UPLINK_STAGE_GRPC
)

// patient keeps the first failure in sight: the second attempt is far off.
func patient(o *uplink.Options) {
	o.BackoffMin, o.BackoffMax, o.StallAfter = time.Hour, time.Hour, 300*time.Millisecond
}

// failed waits for an attempt to end and returns the status.
func (b *bench) failed() *wire.UplinkStatus {
	b.t.Helper()
	var s *wire.UplinkStatus
	eventually(b.t, "the attempt to end", func() bool {
		s = b.client.Status()
		return s.GetState() == wire.UplinkState_UPLINK_STATE_WAITING && s.GetLastError() != ""
	})
	return s
}

// serveConns listens and hands every connection to answer.
func serveConns(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// mute takes what comes and says nothing.
func mute(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// serveTLS answers with the certificate in dir, as edit says, and then nothing.
func serveTLS(t *testing.T, dir string, edit func(*tls.Config)) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}}
	if edit != nil {
		edit(cfg)
	}
	return serveConns(t, func(conn net.Conn) {
		secure := tls.Server(conn, cfg)
		if secure.Handshake() != nil {
			mute(conn) // unread bytes would become a reset, which takes the alert with it
			return
		}
		mute(secure)
	})
}

// issued returns a folder with a certificate for a server of the given names, of the authority in authority.
func issued(t *testing.T, authority string, names ...string) string {
	t.Helper()
	out := t.TempDir()
	if err := ca.IssueServer(authority, names, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func otherAuthority(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if err := ca.Init(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wallClock is a clock that somebody has set for certain, to now and a bit.
func wallClock(ahead time.Duration) *hal.Clock {
	return hal.NewClockOf(hal.ClockSources{
		Wall:         func() time.Time { return time.Now().Add(ahead) },
		SinceBoot:    func() (time.Duration, bool) { return time.Hour, true },
		Synchronised: func() bool { return true },
	})
}

// TestStages breaks the way to the backend at each stage, and holds the client to saying where, why, and what to do.
func TestStages(t *testing.T) {
	const portal = "captive portal"
	set := func(edits ...func(*uplink.Options)) func(*uplink.Options) {
		return func(o *uplink.Options) {
			for _, edit := range edits {
				edit(o)
			}
		}
	}
	noEdit := func(*uplink.Options) {}
	for _, c := range []struct {
		name    string
		serve   func(t *testing.T, certs string) string
		edit    func(*uplink.Options)
		stage   wire.UplinkStage
		problem string
		hint    string
	}{
		{"no certificate", func(*testing.T, string) string { return "127.0.0.1:1" },
			func(o *uplink.Options) { o.TLS.Cert += ".gone" }, atIdentity, "cannot read", "section [uplink]"},
		{"another's certificate", func(*testing.T, string) string { return "127.0.0.1:1" },
			func(o *uplink.Options) { o.Identity.Terminal = "t-9" }, atIdentity, `this is terminal "t-9"`, "section [uplink]"},
		{"nobody listens", func(*testing.T, string) string { return "127.0.0.1:1" },
			noEdit, atTCP, "refuses connections", "port"},
		{"no route", func(*testing.T, string) string { return "255.255.255.255:8443" },
			noEdit, atTCP, "255.255.255.255:8443", "network"},
		{"accepts and is silent", func(t *testing.T, _ string) string { return serveConns(t, mute) },
			noEdit, atTLS, "does not answer the TLS handshake", "overloaded"},
		{"accepts and hangs up", func(t *testing.T, _ string) string { return serveConns(t, func(net.Conn) {}) },
			noEdit, atTLS, "cut during the TLS handshake", "firewall"},
		{"speaks plain HTTP", func(t *testing.T, _ string) string {
			return serveConns(t, func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 100))
				_, _ = io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")
				mute(conn)
			})
		}, noEdit, atTLS, "plain HTTP", portal},
		{"is another program's", func(t *testing.T, _ string) string {
			return serveConns(t, func(conn net.Conn) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n"); mute(conn) })
		}, noEdit, atTLS, "does not answer in TLS", portal},
		{"has another name", func(t *testing.T, certs string) string {
			return serveTLS(t, issued(t, filepath.Join(certs, "ca"), "portal.example"), nil)
		}, noEdit, atTLS, `a certificate for "portal.example", not for "localhost"`, portal},
		{"is of another authority", func(t *testing.T, _ string) string {
			return serveTLS(t, issued(t, otherAuthority(t), "localhost"), nil)
		}, noEdit, atTLS, "unknown authority", portal},
		{"has expired", func(t *testing.T, certs string) string { return serveTLS(t, certs, nil) },
			func(o *uplink.Options) { o.Clock = wallClock(200 * 24 * time.Hour) }, atTLS, "has expired: it is valid from", "set the terminal's clock"},
		{"is not valid yet", func(t *testing.T, certs string) string { return serveTLS(t, certs, nil) },
			func(o *uplink.Options) { o.Clock = wallClock(-20 * 24 * time.Hour) }, atTLS, "is not valid yet: it is valid from", "set the terminal's clock"},
		{"speaks an old TLS", func(t *testing.T, certs string) string {
			return serveTLS(t, certs, func(cfg *tls.Config) { cfg.MaxVersion = tls.VersionTLS12 })
		}, noEdit, atTLS, "protocol version", ""},
		{"speaks no HTTP/2", func(t *testing.T, certs string) string {
			return serveTLS(t, certs, func(cfg *tls.Config) { cfg.NextProtos = nil })
		}, noEdit, atTLS, "HTTP/2", "ALPN"},
		{"does not like the certificate", func(t *testing.T, certs string) string {
			return serveTLS(t, certs, func(cfg *tls.Config) {
				cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
			})
		}, noEdit, atIdentity, "does not accept this terminal's certificate", "another authority"},
		{"shakes hands and hangs up", func(t *testing.T, certs string) string {
			cfg := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}}
			pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"))
			if err != nil {
				t.Fatal(err)
			}
			cfg.Certificates = []tls.Certificate{pair}
			return serveConns(t, func(conn net.Conn) { _ = tls.Server(conn, cfg).Handshake() })
		}, noEdit, atGRPC, "", "may not accept this terminal's certificate"},
		{"shakes hands and is silent", func(t *testing.T, certs string) string { return serveTLS(t, certs, nil) },
			noEdit, atGRPC, "not answered", "hangs"},
		{"is a web server", func(t *testing.T, certs string) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.NotFoundHandler()}
			t.Cleanup(func() { _ = server.Close() })
			go func() { _ = server.ServeTLS(l, filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key")) }()
			return l.Addr().String()
		}, noEdit, atGRPC, "404", "no stampd backend"},
		{"does not want the terminal", func(t *testing.T, certs string) string {
			return serveScript(t, func(link) error { return status.Error(codes.PermissionDenied, "not today") })(certs)
		}, noEdit, atIdentity, "not today", "its log says why"},
		{"does not answer Hello", func(t *testing.T, certs string) string {
			return serveScript(t, func(l link) error { <-l.Context().Done(); return nil })(certs)
		}, noEdit, atGRPC, "not answered", "hangs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(certs string) string { return c.serve(t, certs) }, set(patient, c.edit))
			b.run()
			s := b.failed()
			if s.GetStage() != c.stage || !strings.Contains(s.GetLastError(), c.problem) || !strings.Contains(s.GetHint(), c.hint) {
				t.Errorf("at %v: %s\nhint: %s\nwant at %v: …%s…\nhint: …%s…", s.GetStage(), s.GetLastError(), s.GetHint(), c.stage, c.problem, c.hint)
			}
			if strings.ContainsAny(s.GetLastError()+s.GetHint(), "\n\x1b") {
				t.Errorf("it is more than a line: %q", s.GetLastError())
			}
		})
	}
}

// What a portal writes into its certificate is shown short and harmless.
func TestHostileNames(t *testing.T) {
	id := identity.ID{Merchant: "m-1", Terminal: "t-1"}
	var names []string
	for _, n := range []string{"a", "b", "c", "d"} {
		names = append(names, strings.Repeat(n, 60)+"."+strings.Repeat(n, 60)+".example")
	}
	b := newBench(t, func(certs string) string {
		return serveTLS(t, issued(t, filepath.Join(certs, "ca"), names...), nil)
	}, func(o *uplink.Options) { patient(o); o.Identity = id })
	b.run()
	if s := b.failed(); len(s.GetLastError()) > 500 || !strings.Contains(s.GetLastError(), "and others") {
		t.Errorf("%d characters: %s", len(s.GetLastError()), s.GetLastError())
	}
}
