// Package ca is a certificate authority in a folder: it makes a server and its terminals trust each other.
//
// The backend's command line, its EST server and tests use it. Its key lies in a file: a fleet's authority wants its key
// in hardware, and an intermediate between. It decides nothing about who gets a certificate, revokes nothing, and never
// answers a network. It never overwrites another authority, and never prints a key.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/file"
)

// Names of the files. CertFile is both in the authority's folder and beside every certificate that it issues.
const (
	CertFile         = "ca.pem"
	ServerCertFile   = "server.pem"
	ServerKeyFile    = "server.key"
	TerminalCertFile = "terminal.pem"
	TerminalKeyFile  = "terminal.key"
	MemberKeyFile    = "member.key"

	keyFile    = "ca.key"
	tenantFile = "tenant.key"
)

const (
	// authorityName is short: it is in every certificate, and in the gateway's request for one.
	authorityName = "stampd CA"
	// authorityLife is 10 years, leap days included.
	authorityLife = 3653 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	// backdate lets a machine whose clock is somewhat behind accept a certificate that was just made. It is a tenth of
	// the life of a certificate that is short-lived.
	backdate = time.Hour
)

var (
	// ErrExists means that a folder holds an authority already, which was left as it was.
	ErrExists = errors.New("an authority is there already")
	// ErrOtherAuthority means that a folder holds the certificate of another authority, which was left as it was.
	ErrOtherAuthority = errors.New("a certificate of another authority is there")
	// ErrOtherMerchant means that a folder holds the member key of another merchant, which was left as it was.
	ErrOtherMerchant = errors.New("the member key there belongs to another merchant")
	// ErrNone means that a folder holds no authority.
	ErrNone = errors.New("no certificate authority is there")
)

// Init makes an authority in dir: ca.pem, its key ca.key, and tenant.key, the secret that merchants' keys are derived
// from. It makes the folder when it is missing. The keys are readable by their owner only. After an error dir may hold
// part of an authority; Init refuses to go on there and returns [ErrExists].
func Init(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make folder of certificate authority: %w", err)
	}
	for _, name := range []string{CertFile, keyFile, tenantFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("cannot make certificate authority in %s: %w", dir, ErrExists)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot generate key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: authorityName},
		SubjectKeyId:          newKeyID(),
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("cannot make certificate of authority: %w", err)
	}
	if _, err := pci.LoadOrCreateKey(filepath.Join(dir, tenantFile)); err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := create(filepath.Join(dir, keyFile), keyPEM, 0o600); err != nil {
		return err
	}
	return create(filepath.Join(dir, CertFile), encodeCert(der), 0o644)
}

// create makes a file, or returns [ErrExists] when one is there.
func create(path string, data []byte, perm fs.FileMode) error {
	err := file.Create(path, data, perm)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot write %s: %w", path, ErrExists)
	}
	return err
}

// Authority is what a folder made by [Init] holds. It is safe for concurrent use.
type Authority struct {
	cert    *x509.Certificate
	certPEM []byte
	key     *ecdsa.PrivateKey
}

// Certificate returns the authority's own certificate. The caller must not change it.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Load reads the authority in dir. The error wraps [ErrNone] when there is none.
func Load(dir string) (*Authority, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, CertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot use certificate authority in %s: %w", dir, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read certificate of authority: %w", err)
	}
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("cannot use certificate authority in %s: %s holds no certificate", dir, CertFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot use certificate authority in %s: %w", dir, err)
	}
	key, err := readKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	if !cert.IsCA || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("cannot use certificate authority in %s: %s and %s don't belong together", dir, CertFile, keyFile)
	}
	if now := time.Now(); now.After(cert.NotAfter) {
		return nil, fmt.Errorf("cannot use certificate authority in %s: it expired on %s", dir, cert.NotAfter.Format(time.DateOnly))
	}
	return &Authority{cert: cert, certPEM: certPEM, key: key}, nil
}
