package est

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
	"github.com/stampd/stampd/uplink/wire"
)

// RenewerOptions is what a renewer needs.
type RenewerOptions struct {
	Files    keypair.Files
	Identity identity.ID // the certificate must bear it
	Server   Address     // empty: the certificate is watched, and never renewed
	CA       string      // the only authorities that are trusted, PEM; read at each attempt

	// Clock returns the time as well as the terminal knows it, or false while it does not: nothing is renewed then.
	Clock func() (now time.Time, known bool)
	// Audit is told of each renewal, and of a certificate that is not renewed, once each when the server refuses, when
	// little of its life is left, and when it has expired.
	Audit func(*wire.Audit)
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error) // a plain connection when nil
	Log   zerolog.Logger
}

// Renewer renews the terminal's certificate at two thirds of its life, with a new key each time. It is safe for concurrent
// use.
type Renewer struct {
	RenewerOptions
	every time.Duration // lookEvery, or less often in tests of months

	// These belong to Run.
	failures int             // attempts in a row
	serial   string          // the certificate that alarms were raised for
	alarmed  map[string]bool // what they found

	mu     sync.Mutex // guards status
	status *wire.CertificateStatus
}

// NewRenewer returns a renewer that does nothing before [Renewer.Run].
func NewRenewer(o RenewerOptions) *Renewer {
	return &Renewer{RenewerOptions: o, every: lookEvery, status: &wire.CertificateStatus{}}
}

// lookEvery is how often the files are looked at when nothing is due: somebody may have enrolled the terminal anew, and the
// time may have become known.
const lookEvery = 10 * time.Minute

// Run watches the certificate until ctx ends. Every failure is kept for [Renewer.Status], and tried again.
func (r *Renewer) Run(ctx context.Context) {
	for {
		timer := time.NewTimer(r.look(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look judges the certificate that is there, renews it when that is due, and returns how long to wait before the next
// look.
func (r *Renewer) look(ctx context.Context) time.Duration {
	pair, err := r.load()
	if err != nil {
		r.tell(&wire.CertificateStatus{State: wire.CertificateState_CERTIFICATE_STATE_NONE, LastError: err.Error()})
		return r.every
	}
	s := &wire.CertificateStatus{Serial: Serial(pair.Leaf), NotAfterUnixMs: new(pair.Leaf.NotAfter.UnixMilli())}
	due := Due(pair.Leaf)
	if r.Server != "" {
		s.RenewUnixMs = new(due.UnixMilli())
	}
	now, known := r.Clock()
	switch {
	case !known:
		s.State = wire.CertificateState_CERTIFICATE_STATE_CLOCK_UNKNOWN
	case now.After(pair.Leaf.NotAfter):
		s.State = wire.CertificateState_CERTIFICATE_STATE_EXPIRED
		s.LastError = "the certificate has expired: 'stampd enroll' gets another, for a token"
		r.alarm(pair.Leaf, "expired")
	case now.Before(due):
		s.State = wire.CertificateState_CERTIFICATE_STATE_VALID
		r.tell(s)
		return min(due.Sub(now), r.every)
	case r.Server == "":
		s.State = wire.CertificateState_CERTIFICATE_STATE_DUE
		s.LastError = "the certificate is not renewed: uplink.est is not set"
		if pair.Leaf.NotAfter.Sub(now) < lifeOf(pair.Leaf)/lateShare {
			r.alarm(pair.Leaf, "late")
		}
	default:
		return r.attempt(ctx, pair, s, now)
	}
	r.tell(s)
	return r.every
}

// attempt tries to renew a certificate that is due, and returns how long to wait before the next look.
func (r *Renewer) attempt(ctx context.Context, pair tls.Certificate, s *wire.CertificateStatus, now time.Time) time.Duration {
	fresh, err := r.renew(ctx, pair)
	if err == nil && !Due(fresh).After(now) {
		err = errors.New("the new certificate is as good as over: the clock of this terminal or of the server is wrong")
	}
	if err == nil || ctx.Err() != nil {
		r.failures = 0
		return 0
	}
	left, life := pair.Leaf.NotAfter.Sub(now), lifeOf(pair.Leaf)
	wait := max(pause(r.failures, left, life), min(asked(err), left/2))
	r.failures++
	s.State, s.LastError = wire.CertificateState_CERTIFICATE_STATE_DUE, err.Error()
	r.tell(s)
	r.Log.Warn().Err(err).Time("not_after", pair.Leaf.NotAfter).Int64("wait_ms", wait.Milliseconds()).Msg("certificate is not renewed")
	if _, refused := errors.AsType[*RefusedError](err); refused {
		r.alarm(pair.Leaf, "refused")
	}
	if left < life/lateShare {
		r.alarm(pair.Leaf, "late")
	}
	return wait
}

// renew gets a new certificate for a new key, and makes both the terminal's.
func (r *Renewer) renew(ctx context.Context, pair tls.Certificate) (*x509.Certificate, error) {
	roots, err := Roots(r.CA)
	if err != nil {
		return nil, err
	}
	key, err := r.Files.Next()
	if err != nil {
		return nil, err
	}
	client := Client{Server: r.Server, Roots: roots, Dial: r.Dial, Now: func() time.Time { now, _ := r.Clock(); return now }}
	chain, err := client.Reenroll(ctx, pair, key)
	if err != nil {
		return nil, err
	}
	if !chain[0].NotAfter.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("cannot use the certificate that %s issued: it ends no later than the one that is there", r.Server)
	}
	if err := r.Files.Switch(chain); err != nil {
		return nil, err
	}
	r.Log.Info().Time("not_after", chain[0].NotAfter).Str("serial", Serial(chain[0])).Msg("certificate is renewed")
	r.Audit(&wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_CERTIFICATE_RENEWED, Subject: "certificate"})
	return chain[0], nil
}

// load returns the pair, if it is this terminal's.
func (r *Renewer) load() (tls.Certificate, error) {
	pair, err := r.Files.Load()
	if err != nil {
		return pair, err
	}
	id, err := identity.FromCertificate(pair.Leaf)
	if err == nil && id != r.Identity {
		err = fmt.Errorf("it is for terminal %q of merchant %q", id.Terminal, id.Merchant)
	}
	if err != nil {
		return pair, fmt.Errorf("cannot use certificate %s: %w", r.Files.Cert, err)
	}
	return pair, nil
}

// alarm raises an alarm, once for each certificate and cause: an alarm is a record that is never dropped.
func (r *Renewer) alarm(leaf *x509.Certificate, found string) {
	if serial := Serial(leaf); r.serial != serial {
		r.serial, r.alarmed = serial, map[string]bool{}
	}
	if r.alarmed[found] {
		return
	}
	r.alarmed[found] = true
	r.Log.Error().Time("not_after", leaf.NotAfter).Str("found", found).Msg("certificate is not renewed in time")
	r.Audit(&wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_CERTIFICATE_NOT_RENEWED, Subject: "certificate", Found: found})
}

// tell makes s the status.
func (r *Renewer) tell(s *wire.CertificateStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = s
}

// Status returns how the certificate is. The caller must not change it.
func (r *Renewer) Status() *wire.CertificateStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Roots reads the authorities in a PEM file.
func Roots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cannot use %s: it holds no certificate", path)
	}
	return pool, nil
}
