// What `stampd enroll` does, and what its errors mean.

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/est"
	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
)

// enrolment is one call of `stampd enroll`.
type enrolment struct {
	cfg         *configFile
	token       string
	server      est.Address
	caFile      string             // from --ca; empty when it was not given
	fingerprint *[sha256.Size]byte // from --fingerprint, or nil
	force       bool
}

// Why a terminal is not enrolled, where the caller decides by it.
var (
	errKeyThere = errors.New("a key is there, and no certificate for it that can be used")
	errNoTrust  = errors.New("nothing says which authority to trust")
)

// run gets the certificate and writes it. What it makes before the server has answered, it uses again when it is run
// again.
func (e *enrolment) run(ctx context.Context) (*enrolled, error) {
	ck := checker{file: e.cfg.path, places: e.cfg.places}
	ck.id("terminal.id", e.cfg.Terminal.ID)
	ck.id("terminal.merchant", e.cfg.Terminal.Merchant)
	u := e.cfg.Uplink
	ck.path("uplink.cert", u.Cert)
	ck.path("uplink.key", u.Key)
	ck.path("uplink.ca", u.CA)
	if err := joinSettings(ck.found); err != nil {
		return nil, err
	}
	own := identity.ID{Terminal: e.cfg.Terminal.ID, Merchant: e.cfg.Terminal.Merchant}
	files := keypair.Files{Cert: u.Cert, Key: u.Key}
	if !e.force {
		there, err := usable(files, own)
		if err != nil {
			return nil, err
		}
		if there != nil {
			return e.describe(own, there, false), nil
		}
	}
	authorities, err := e.trusted(ctx)
	if err != nil {
		return nil, err
	}
	key, err := files.Next()
	if err != nil {
		return nil, err
	}
	client := est.Client{Server: e.server, Roots: poolOf(authorities)}
	chain, err := client.Enroll(ctx, own, e.token, key)
	if err != nil {
		return nil, err
	}
	// The certificate is last: as long as it is not there, the command does all of this again.
	if err := writeCA(u.CA, authorities); err != nil {
		return nil, err
	}
	if err := files.Switch(chain); err != nil {
		return nil, err
	}
	return e.describe(own, chain[0], true), nil
}

// usable returns the certificate that is there, when it is the terminal's and not over, and nil when one can be made. It
// fails when a key is there that is nobody's to replace.
func usable(files keypair.Files, own identity.ID) (*x509.Certificate, error) {
	pair, err := files.Load()
	if err != nil {
		if _, keyErr := os.Lstat(files.Key); errors.Is(keyErr, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot enrol: %w: %w", errKeyThere, err)
	}
	if id, err := identity.FromCertificate(pair.Leaf); err != nil || id != own {
		return nil, fmt.Errorf("cannot enrol: %w: %s is not terminal %q of merchant %q", errKeyThere, files.Cert, own.Terminal, own.Merchant)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return nil, nil
	}
	return pair.Leaf, nil
}

// trusted returns the authorities that a person vouched for: with --fingerprint, with --ca, or by the file that is there.
func (e *enrolment) trusted(ctx context.Context) ([]*x509.Certificate, error) {
	if e.fingerprint != nil {
		client := est.Client{Server: e.server}
		authority, err := client.Authority(ctx, *e.fingerprint)
		if err != nil {
			return nil, err
		}
		return []*x509.Certificate{authority}, nil
	}
	path := e.caFile
	if path == "" {
		path = e.cfg.Uplink.CA
	}
	text, err := os.ReadFile(path)
	if e.caFile == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot enrol: %w", errNoTrust)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the authorities: %w", err)
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			all = append(all, cert)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cannot use %s: it holds no certificate", path)
	}
	return all, nil
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// writeCA writes the authorities, unless a file is there: what the agent trusts, enrolment does not change.
func writeCA(path string, authorities []*x509.Certificate) error {
	var text bytes.Buffer
	for _, c := range authorities {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a buffer takes everything
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot make folder of the authorities: %w", err)
	}
	err := file.Create(path, text.Bytes(), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (e *enrolment) describe(own identity.ID, cert *x509.Certificate, made bool) *enrolled {
	u := e.cfg.Uplink
	return &enrolled{
		Terminal: own.Terminal, Merchant: own.Merchant, Serial: est.Serial(cert), NotAfter: cert.NotAfter.UTC().Format(time.RFC3339),
		Cert: u.Cert, Key: u.Key, CA: u.CA, New: made,
	}
}

// explainEnrolment adds to an error what to do about it.
func explainEnrolment(err error) error {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var dial *net.OpError
	_, refused := errors.AsType[*est.RefusedError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case refused:
		return cli.WithHint(err, "ask for a new token: 'stampd-backend token new' makes one for a terminal and its merchant")
	case errors.Is(err, errKeyThere):
		return cli.WithHint(err, "put the right files there, or replace them with --force")
	case errors.Is(err, errNoTrust):
		return cli.WithHint(err, "name the authority's certificate with --ca, or its fingerprint with --fingerprint")
	case errors.Is(err, est.ErrFingerprint):
		return cli.WithHint(err, "compare it with what 'stampd-backend ca init' printed; if it is right, somebody else answers there")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return cli.WithHint(err, "it is "+time.Now().UTC().Format(time.DateTime)+" by this terminal's clock: set it if that is wrong, else the server needs a new certificate")
	case errors.As(err, &host):
		return cli.WithHint(err, "name the server with --est as its certificate does; if it is right, somebody else answers there")
	case unverified:
		return cli.WithHint(err, "its authority is not the one in --ca or uplink.ca; if that is right, somebody else answers there")
	case errors.Is(err, fs.ErrPermission):
		return cli.WithHint(err, "run as the user that the agent runs as")
	case errors.As(err, &dial) && dial.Op == "dial":
		return &unreachableError{problem: err.Error(), hint: "check the network, and the address in --est or uplink.est"}
	}
	return err
}
