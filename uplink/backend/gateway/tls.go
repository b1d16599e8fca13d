package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/stampd/stampd/uplink/identity"
)

// LoadTLS returns the TLS settings of the gateway: TLS 1.3 only, a certificate of the authority in caFile demanded of
// everybody, and no session tickets, because Go's carry the client's chain and cost more than a full handshake.
// The error wraps [os.ErrNotExist] when a file is missing.
func LoadTLS(certFile, keyFile, caFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot load server certificate: %w", err)
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("cannot load certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("cannot load certificate authority: %w", errors.New(caFile+" holds no certificate"))
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              pool,
		CurvePreferences:       identity.Curves(),
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}, nil
}
