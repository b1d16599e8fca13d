package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/identity"
)

// shake shakes hands and reads, and returns how that ended: TLS 1.3 tells a client that it is refused when it reads.
func (b *backend) shake(cfg *tls.Config) (tls.ConnectionState, error) {
	b.t.Helper()
	cfg = cfg.Clone()
	cfg.ServerName, cfg.NextProtos = "127.0.0.1", []string{"h2"}
	conn, err := tls.Dial("tcp", b.addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return conn.ConnectionState(), err
}

// refusedBy reports whether err is an alert that the peer sent.
func refusedBy(err error, alert tls.AlertError) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	return ok && remote.Op == "remote error" && remote.Err.Error() == alert.Error()
}

func TestDeniedAtTheHandshake(t *testing.T) {
	b := start(t)
	cert := issue(t, b.ca, "m1", "t1")
	for name, entry := range map[string]deny.Entry{
		"terminal":    deny.Terminal(identity.ID{Merchant: "m1", Terminal: "t1"}),
		"certificate": deny.Certificate(cert.Leaf.SerialNumber),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := b.shake(b.clientTLS(cert)); err != nil {
				t.Fatalf("before: %v", err)
			}
			if _, err := b.deny.Add(entry); err != nil {
				t.Fatal(err)
			}
			const badCertificate = 42 // RFC 8446, section 6.2
			if _, err := b.shake(b.clientTLS(cert)); !refusedBy(err, badCertificate) {
				t.Errorf("denied: %v, want the alert bad_certificate", err)
			}
			b.out.await(t, fmt.Sprintf("with certificate %x is on the deny list", cert.Leaf.SerialNumber))
			if _, err := b.shake(b.clientTLS(issue(t, b.ca, "m1", "t2"))); err != nil {
				t.Errorf("another terminal: %v", err)
			}
			if _, err := b.deny.Remove(entry); err != nil {
				t.Fatal(err)
			}
			if _, err := b.shake(b.clientTLS(cert)); err != nil {
				t.Errorf("after it was taken off the list: %v", err)
			}
		})
	}
}

// A client of TLS 1.3 takes itself for admitted, and sends. That must not fail before it has read why it is refused.
func TestDeniedIsHeardOut(t *testing.T) {
	b := start(t)
	cert := issue(t, b.ca, "m1", "t1")
	if _, err := b.deny.Add(deny.Certificate(cert.Leaf.SerialNumber)); err != nil {
		t.Fatal(err)
	}
	cfg := b.clientTLS(cert)
	cfg.ServerName, cfg.NextProtos = "127.0.0.1", []string{"h2"}
	for range 10 {
		conn, err := tls.Dial("tcp", b.addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !refusedBy(err, 42) {
			t.Errorf("denied: %v, want the alert bad_certificate", err)
		}
		for range 4 {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				t.Fatalf("sending fails: %v", err)
			}
		}
		conn.Close()
	}
}

func TestDeniedInTheMidst(t *testing.T) {
	b := start(t)
	one, two := b.connect("m1", "t1"), b.connect("m1", "t2")
	for name, m := range map[string]*terminal{"t1": one, "t2": two} {
		m.hello(greeting(name))
		m.welcome()
	}
	if _, err := b.deny.Add(deny.Terminal(identity.ID{Merchant: "m1", Terminal: "t1"})); err != nil {
		t.Fatal(err)
	}
	one.refused(codes.PermissionDenied)
	two.send(readings(t, 1, 1))
	two.ack()
}

// The connection of a denied terminal is no way around the list: its next stream is refused.
func TestDeniedOnAnOpenConnection(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
	if _, err := b.deny.Add(deny.Terminal(identity.ID{Merchant: "m1", Terminal: "t1"})); err != nil {
		t.Fatal(err)
	}
	m.refused(codes.PermissionDenied)
	m.again()
	m.hello(greeting("t1"))
	m.refused(codes.PermissionDenied)
}

func TestServerCertificateIsReadAgain(t *testing.T) {
	b := start(t)
	cfg := b.clientTLS(issue(t, b.ca, "m1", "t1"))
	serial := func() string {
		t.Helper()
		state, err := b.shake(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	if serial() != first {
		t.Fatal("the certificate changes by itself")
	}
	if err := ca.IssueServer(b.ca, []string{"127.0.0.1"}, b.ca); err != nil {
		t.Fatal(err)
	}
	second := serial()
	if second == first {
		t.Error("a renewed certificate is not in use")
	}
	// Half of a pair, and then garbage: the last pair that was whole stays in use.
	for name, text := range map[string]string{ca.ServerKeyFile: "", ca.ServerCertFile: "no PEM", ca.CertFile: "no PEM"} {
		path := filepath.Join(b.ca, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if serial() != second {
			t.Errorf("%s damaged: another certificate is in use", name)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !b.out.contains("changed certificates can't be used") {
		t.Error("the log does not say that files can't be used")
	}
	if serial() != second {
		t.Error("restored files are not in use")
	}
}
