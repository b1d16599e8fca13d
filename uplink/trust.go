package uplink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// judgeBy makes cfg judge the server's certificates by the terminal's clock, as well as that is known.
//
// A clock that was checked since boot is right, and certificates are judged by it alone. One that was not can be wrong,
// and a terminal that refused every certificate for it would never learn the time from the backend. So such a terminal
// goes by, in this order:
//
//   - The time that the backend told since boot, if it did.
//   - The wall clock, or the latest time at which one of the certificates begins, if that is later: an authority does not
//     sign what begins in the future, so its signature says that this moment is past.
//   - Without a wall clock, the latest such time, or that at which the terminal's own certificate begins, if that is later.
//     A wall clock that is past the end of the terminal's own certificate counts as none: either it is wrong, or no
//     backend takes the terminal.
//
// Names, signatures and uses are checked as ever. What is lost is that a certificate which ended after the latest of those
// times is taken for a valid one, until the clock has been checked: whoever has a backend's old key, and the network of a
// terminal whose clock was never set, can act as its backend until then. Not with a key whose certificate ended before
// the terminal's own began, though, and that is renewed every two months.
func judgeBy(clock *hal.Clock, cfg *tls.Config) {
	cfg.Time = clock.Wall
	// Package crypto/tls would judge by one time, chosen before the certificates are known, and would not resume a session
	// that was judged otherwise when it began. So verify takes its place whatever the clock is, for resumed sessions too.
	cfg.InsecureSkipVerify = true
	confidence := clock.Now().GetConfidence()
	if confidence >= wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK {
		cfg.VerifyConnection = func(state tls.ConnectionState) error { return verify(cfg, state, clock.Wall()) }
		return
	}
	var floor time.Time
	isSet := confidence == wire.ClockConfidence_CLOCK_CONFIDENCE_RTC && !outlived(cfg.Certificates, clock.Wall())
	if isSet {
		floor = clock.Wall()
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if told, _, known := clock.ServerTime(); known {
			err := verify(cfg, state, told)
			if err == nil || !isSet {
				return err
			}
		}
		return verify(cfg, state, latest(floor, cfg, state))
	}
}

// outlived reports whether one of the certificates is no longer valid at the time.
func outlived(own []tls.Certificate, at time.Time) bool {
	return slices.ContainsFunc(own, func(c tls.Certificate) bool { return c.Leaf != nil && at.After(c.Leaf.NotAfter) })
}

// latest returns the latest of floor and the times from which the certificates of both sides are valid.
func latest(floor time.Time, cfg *tls.Config, state tls.ConnectionState) time.Time {
	for _, own := range cfg.Certificates {
		if own.Leaf != nil && own.Leaf.NotBefore.After(floor) {
			floor = own.Leaf.NotBefore
		}
	}
	for _, c := range state.PeerCertificates {
		if c.NotBefore.After(floor) {
			floor = c.NotBefore
		}
	}
	return floor
}

// verify checks the server's certificates as crypto/tls does, as of the given time.
func verify(cfg *tls.Config, state tls.ConnectionState, at time.Time) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("backend has shown no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: cfg.RootCAs, Intermediates: between, DNSName: cfg.ServerName, CurrentTime: at,
	})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}
