package uplink

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
)

// config reads the files and returns the client's side of mutual TLS 1.3. It fails when the certificate is not the
// terminal's.
func (f Files) config(own identity.ID) (*tls.Config, error) {
	cert, err := keypair.Files{Cert: f.Cert, Key: f.Key}.Load()
	if err != nil {
		return nil, err
	}
	id, err := identity.FromCertificate(cert.Leaf)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate %s: %w", f.Cert, err)
	}
	if id != own {
		return nil, fmt.Errorf("cannot use certificate %s: it is for terminal %q of merchant %q, this is terminal %q of merchant %q",
			f.Cert, id.Terminal, id.Merchant, own.Terminal, own.Merchant)
	}
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backend's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use CA file %s: it holds no certificate", f.CA)
	}
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: identity.Curves(),
		Certificates:     []tls.Certificate{cert},
		RootCAs:          roots,
		ServerName:       f.ServerName,
	}, nil
}
