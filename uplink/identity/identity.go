// Package identity says who a terminal is: the SPIFFE id in its certificate, and nothing else.
//
// Both ends of the uplink use it, and the certificate authority. It reads certificates that someone else has verified;
// it never verifies one, and never takes an identity from a common name, a header or a message.
package identity

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// trustDomain is the host of every terminal's SPIFFE id.
const trustDomain = "stampd"

// maxName is the most characters that a merchant's or a terminal's name may have.
const maxName = 64

// ID names one terminal of one merchant. The zero ID is nobody.
//
// Each name is 1 to 64 lower-case letters, digits, dots and dashes, and starts with a letter or a digit, so that it can
// stand in a path, a file name or a log line as it is.
type ID struct {
	Merchant string
	Terminal string
}

// Validate returns nil when both names are well formed, else an error that says which is not.
func (id ID) Validate() error {
	if !validName(id.Merchant) {
		return errors.New("merchant is not 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")
	}
	if !validName(id.Terminal) {
		return errors.New("terminal is not 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")
	}
	return nil
}

// URI returns the SPIFFE id of the terminal, spiffe://stampd/merchant/<merchant>/terminal/<terminal>. It is meaningful
// only for an ID that [ID.Validate] accepts.
func (id ID) URI() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: "/merchant/" + id.Merchant + "/terminal/" + id.Terminal}
}

// String returns the SPIFFE id as text.
func (id ID) String() string {
	return id.URI().String()
}

// Parse reads a SPIFFE id as [ID.String] writes it. It accepts that one spelling only: no port, no user, no query, no
// fragment, no percent-encoding and no capital letters.
func Parse(s string) (ID, error) {
	rest, ok := strings.CutPrefix(s, "spiffe://"+trustDomain+"/merchant/")
	if !ok {
		return ID{}, errors.New("not a SPIFFE id of a stampd terminal")
	}
	merchant, terminal, ok := strings.Cut(rest, "/terminal/")
	if !ok {
		return ID{}, errors.New("not a SPIFFE id of a stampd terminal")
	}
	id := ID{Merchant: merchant, Terminal: terminal}
	if err := id.Validate(); err != nil {
		return ID{}, err
	}
	return id, nil
}

// FromCertificate returns the terminal that a verified certificate names. It fails unless the certificate has exactly
// one URI among its alternative names (SPIFFE X.509-SVID, section 2) and that is the SPIFFE id of a terminal.
//
// The caller has verified the certificate: on a server it is VerifiedChains[0][0] of the connection.
func FromCertificate(cert *x509.Certificate) (ID, error) {
	if len(cert.URIs) != 1 {
		return ID{}, fmt.Errorf("cannot identify terminal: certificate has %d URI names, want 1", len(cert.URIs))
	}
	id, err := Parse(cert.URIs[0].String())
	if err != nil {
		return ID{}, fmt.Errorf("cannot identify terminal: %w", err)
	}
	return id, nil
}

func validName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
