package ca

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/stampd/stampd/uplink/identity"
)

// Sign issues a certificate to a terminal, for the key that it has shown to be its own. It lasts for life, or until the
// authority's own ends, and names the terminal in a URI and nowhere else. Zero life is 90 days.
func (a *Authority) Sign(id identity.ID, key *ecdsa.PublicKey, life time.Duration) (*x509.Certificate, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("cannot issue certificate: %w", err)
	}
	if life == 0 {
		life = leafLife
	}
	der, err := a.sign(forTerminal(id), key, life)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificate: %w", err)
	}
	return cert, nil
}

// forTerminal returns what makes a certificate a terminal's.
func forTerminal(id identity.ID) *x509.Certificate {
	return &x509.Certificate{
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{id.URI()},
	}
}

// sign completes template and signs it for a key.
func (a *Authority) sign(template *x509.Certificate, key *ecdsa.PublicKey, life time.Duration) ([]byte, error) {
	now := time.Now()
	template.SerialNumber = newSerial()
	template.NotBefore = now.Add(-min(backdate, life/10))
	template.NotAfter = now.Add(life)
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificate: %w", err)
	}
	return der, nil
}

// newSerial returns 70 random bits in 9 bytes. RFC 5280, section 4.1.2.2, allows up to 20; each travels in every full
// handshake, and 64 random bits are what public authorities must have.
func newSerial() *big.Int {
	var b [9]byte
	rand.Read(b[:])         // never fails since Go 1.24
	b[0] = b[0]&0x3f | 0x40 // positive, and always as long
	return new(big.Int).SetBytes(b[:])
}

// newKeyID returns a key identifier of 64 bits (RFC 5280, section 4.2.1.2, has one of that length as its second method,
// and asks only that it is unique). It comes back in each certificate that the authority signs.
func newKeyID() []byte {
	id := make([]byte, 8)
	rand.Read(id) // never fails since Go 1.24
	return id
}
