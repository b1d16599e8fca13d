package est

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"

	"github.com/stampd/stampd/uplink/identity"
)

// certificateRequest returns a PKCS #10 request in DER (RFC 2986) that names the terminal in a URI and nowhere else, and
// proves that the caller has the key.
func certificateRequest(id identity.ID, key crypto.Signer) ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make certificate request: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{id.URI()}}, key)
	if err != nil {
		return nil, fmt.Errorf("cannot make certificate request: %w", err)
	}
	return der, nil
}

// issued picks the terminal's certificate out of an answer, and those between it and its authority, and checks it: it is
// for the key, for the terminal, for clients, and comes from one of the authorities. How long it is valid is not judged
// here, since the terminal's clock can be wrong.
func issued(answer, authorities []*x509.Certificate, id identity.ID, key crypto.PublicKey) ([]*x509.Certificate, error) {
	own, ok := key.(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil, errors.New("the terminal's key is of no known kind")
	}
	var leaf *x509.Certificate
	for _, c := range answer {
		if own.Equal(c.PublicKey) {
			leaf = c
			break
		}
	}
	if leaf == nil {
		return nil, errors.New("it is for another key")
	}
	got, err := identity.FromCertificate(leaf)
	if err != nil {
		return nil, err
	}
	if got != id {
		return nil, fmt.Errorf("it is for terminal %q of merchant %q, this is terminal %q of merchant %q", got.Terminal, got.Merchant, id.Terminal, id.Merchant)
	}
	opts := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		CurrentTime:   leaf.NotBefore,
	}
	for _, c := range authorities {
		if bytes.Equal(c.RawIssuer, c.RawSubject) {
			opts.Roots.AddCert(c)
		} else {
			opts.Intermediates.AddCert(c)
		}
	}
	for _, c := range answer {
		opts.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(opts)
	if err != nil {
		return nil, err
	}
	return chains[0][:len(chains[0])-1], nil // the backend has the root
}
