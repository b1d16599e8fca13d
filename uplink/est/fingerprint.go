package est

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/stampd/stampd/uplink/identity"
)

// ErrFingerprint means that the server showed no authority with the fingerprint.
var ErrFingerprint = errors.New("it shows no authority with this fingerprint")

// ParseFingerprint reads a SHA-256 fingerprint as OpenSSL, sha256sum and browsers write it: 64 hex digits, with colons or
// without.
func ParseFingerprint(s string) (sum [sha256.Size]byte, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(raw) != len(sum) {
		return sum, errors.New("want the SHA-256 fingerprint of a certificate: 64 hex digits, with colons or without")
	}
	return [sha256.Size]byte(raw), nil
}

// Authority returns the authority's certificate with a SHA-256 fingerprint, as the server shows it. It is how a terminal
// comes by the certificate that it is to trust, when a person has the fingerprint from elsewhere (RFC 7030, section
// 4.1.1). Nothing else that the server says is believed, and nothing is sent to it: the handshake is broken off. The
// error wraps [ErrFingerprint] when there is no such certificate.
func (c *Client) Authority(ctx context.Context, fingerprint [sha256.Size]byte) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", string(c.Server))
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", c.Server, plain(err))
	}
	defer conn.Close()
	client := tls.Client(conn, &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: identity.Curves(),
		RootCAs:          x509.NewCertPool(), // nobody: the handshake fails, and its error has what was shown
		ServerName:       c.Server.host(),
	})
	err = client.HandshakeContext(ctx)
	unverified, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return nil, fmt.Errorf("cannot ask %s: %w", c.Server, plain(err))
	}
	for _, cert := range unverified.UnverifiedCertificates {
		if cert.IsCA && sha256.Sum256(cert.Raw) == fingerprint {
			return cert, nil
		}
	}
	return nil, fmt.Errorf("cannot trust %s: %w", c.Server, ErrFingerprint)
}
