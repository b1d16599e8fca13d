package uplink

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
)

// authority signs certificates for any time.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.key, a.cert = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, year(2020), year(2060))
	return a
}

// sign makes a key and a certificate for it, which the authority signs unless it is its own.
func (a *authority) sign(template *x509.Certificate, from, to time.Time) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), from, to
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert
}

// pair returns a certificate that ends after 90 days.
func (a *authority) pair(template *x509.Certificate, from time.Time) tls.Certificate {
	key, cert := a.sign(template, from, from.AddDate(0, 0, 90))
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func year(y int) time.Time { return time.Date(y, time.January, 1, 0, 0, 0, 0, time.UTC) }

// The clock of a terminal that was never set must not keep it from its backend, and must not let in anybody whom a right
// clock would keep out for another reason than the time.
func TestJudgeBy(t *testing.T) {
	now := year(2027) // by a clock that is right
	a, stranger := newAuthority(t), newAuthority(t)
	const day = 24 * time.Hour
	tests := []struct {
		name   string
		wall   time.Time
		ntp    bool
		told   time.Duration // what time the backend told since boot, from the right one
		silent bool          // it told none
		server time.Duration // since when its certificate is valid, from the right time
		own    time.Duration // and the terminal's
		host   string
		by     *authority
		want   error // nil; or of the kind that x509 returns
	}{
		{name: "right clock", wall: now, ntp: true, silent: true, server: -30 * day},
		{name: "right clock, expired", wall: now, ntp: true, silent: true, server: -91 * day, want: expired},
		{name: "right clock, not yet valid", wall: now, ntp: true, silent: true, server: day, want: expired},
		{name: "right clock that nobody checked", wall: now, silent: true, server: -30 * day},
		{name: "right clock that nobody checked, expired", wall: now, silent: true, server: -91 * day, want: expired},
		{name: "1970", wall: time.Unix(0, 0), silent: true, server: -30 * day},
		{name: "1970, and NTP is claimed", wall: time.Unix(0, 0), ntp: true, silent: true, server: -30 * day},
		{name: "1970, ended before the terminal's own began", wall: time.Unix(0, 0), silent: true, server: -121 * day, own: -30 * day, want: expired},
		{name: "1970, ended after the terminal's own began", wall: time.Unix(0, 0), silent: true, server: -91 * day, own: -30 * day},
		{name: "1970, ended, and the time was told", wall: time.Unix(0, 0), server: -91 * day, want: expired},
		{name: "1970, and the time was told", wall: time.Unix(0, 0), server: -30 * day},
		{name: "1970, another name", wall: time.Unix(0, 0), silent: true, server: -30 * day, host: "portal.example", want: x509.HostnameError{}},
		{name: "1970, another authority", wall: time.Unix(0, 0), silent: true, server: -30 * day, by: stranger, want: x509.UnknownAuthorityError{}},
		{name: "a year behind", wall: now.AddDate(-1, 0, 0), silent: true, server: -30 * day},
		{name: "a year behind, by NTP", wall: now.AddDate(-1, 0, 0), ntp: true, silent: true, server: -30 * day, want: expired},
		{name: "two months ahead", wall: now.Add(60 * day), silent: true, server: -10 * day, own: -10 * day},
		{name: "2038", wall: time.Unix(1<<31, 0), silent: true, server: -30 * day},
		{name: "2038, ended before the terminal's own began", wall: time.Unix(1<<31, 0), silent: true, server: -121 * day, own: -30 * day, want: expired},
		{name: "2106", wall: time.Unix(1<<32-1, 0), silent: true, server: -30 * day},
		{name: "right clock, and the backend lied a year ahead", wall: now, told: 365 * day, server: -30 * day},
		{name: "a year behind, and the time was told", wall: now.AddDate(-1, 0, 0), server: -30 * day},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := hal.NewClockOf(hal.ClockSources{
				Wall:         func() time.Time { return tt.wall },
				SinceBoot:    func() (time.Duration, bool) { return time.Hour, true },
				Synchronised: func() bool { return tt.ntp },
			})
			if !tt.silent && !clock.SetServerTime(now.Add(tt.told), 0) {
				t.Fatal("the time that was told is not believed")
			}
			by, host := tt.by, tt.host
			if by == nil {
				by = a
			}
			if host == "" {
				host = "localhost"
			}
			if tt.own == 0 {
				tt.own = -60 * day
			}
			server := by.pair(&x509.Certificate{DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, now.Add(tt.server))
			own := a.pair(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, now.Add(tt.own))
			roots := x509.NewCertPool()
			roots.AddCert(a.cert)
			cfg := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{own}}
			judgeBy(clock, cfg)
			err := shake(t, cfg, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{server}})
			if !sameKind(err, tt.want) {
				t.Errorf("handshake ended with %v, want %v", err, tt.want)
			}
		})
	}
}

// expired is how package x509 calls what is not valid yet, too.
var expired = x509.CertificateInvalidError{Reason: x509.Expired}

func sameKind(err, want error) bool {
	switch want.(type) {
	case x509.HostnameError:
		_, ok := errors.AsType[x509.HostnameError](err)
		return ok
	case x509.UnknownAuthorityError:
		_, ok := errors.AsType[x509.UnknownAuthorityError](err)
		return ok
	case x509.CertificateInvalidError:
		invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && invalid.Reason == x509.Expired
	}
	return err == nil
}

// shake returns how a handshake ends for the client.
func shake(t *testing.T, client, server *tls.Config) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = tls.Server(conn, server).Handshake()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = tls.Client(conn, client).Handshake()
	_ = conn.Close()
	<-done
	return err
}
