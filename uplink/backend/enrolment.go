package backend

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/enrol"
)

// enrolment is the EST server and where it listens. A nil enrolment enrols nobody.
type enrolment struct {
	server   *enrol.Server
	listener net.Listener
}

// TokensDir returns the folder of the one-time tokens of a backend whose log is in dir.
func TokensDir(dir string) string { return filepath.Join(dir, "tokens") }

// openEnrolment loads the authority, which must be one that the gateway trusts, and listens.
func openEnrolment(o Options, gateway *tls.Config, list *deny.List) (*enrolment, error) {
	authority, err := ca.Load(o.CADir)
	if err != nil {
		return nil, authorityProblem(err, o.CADir)
	}
	if _, err := authority.Certificate().Verify(x509.VerifyOptions{Roots: gateway.ClientCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, &Problem{
			fmt.Errorf("cannot enrol terminals by the authority in %s: it is not in %s", o.CADir, o.CAFile),
			"terminals would be refused that it enrols: add its ca.pem to the file that --ca names",
		}
	}
	tokens, err := enrol.OpenTokens(TokensDir(o.Dir))
	if err != nil {
		return nil, folderProblem(err, o.Dir, "--dir")
	}
	listener, err := net.Listen("tcp", o.ESTListen)
	if err != nil {
		return nil, listenProblem(fmt.Errorf("cannot enrol terminals: %w", err), "--est-listen")
	}
	logger := o.Logger.With().Str("part", "enrolment").Logger()
	logger.Info().Stringer("address", listener.Addr()).Msg("terminals are enrolled")
	return &enrolment{listener: listener, server: enrol.New(enrol.Options{
		Authority: authority, Tokens: tokens, Deny: list, TLS: gateway, Life: o.CertLife, Logger: logger,
	})}, nil
}

// ESTAddr returns the address that terminals are enrolled on, or nil.
func (b *Backend) ESTAddr() net.Addr {
	if b.enrol == nil {
		return nil
	}
	return b.enrol.listener.Addr()
}

// serve enrols terminals until close, and returns a channel that gets the error when that ends otherwise.
func (e *enrolment) serve() <-chan error {
	if e == nil {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- e.server.Serve(e.listener) }()
	return ended
}

// close ends it. A certificate that is on its way is asked for again.
func (e *enrolment) close() {
	if e != nil {
		_ = e.server.Close()
		_ = e.listener.Close()
	}
}

// authorityProblem adds a remedy to an error of loading the authority.
func authorityProblem(err error, dir string) error {
	switch {
	case errors.Is(err, ca.ErrNone):
		return &Problem{err, "name the folder of the authority with --ca-dir, or make one with 'stampd-backend ca init " + dir + "'"}
	case errors.Is(err, fs.ErrPermission):
		return &Problem{err, "let the user that runs the backend read the authority's key"}
	}
	return err
}
