// Package keypair keeps a terminal's certificate and its private key: two files that belong together at every instant.
//
// The uplink loads the pair, and enrolment switches to a new one. The key is a [crypto.Signer] to everybody else; that
// it lies in a file, this package alone knows. It never prints a key, and decides nothing about certificates.
//
// Beside the two files there may be a third, the key's with ".next" appended: the key that the next certificate is asked
// for. The certificate file decides which key counts: it is replaced in one step, and whichever of the two keys belongs
// to it is its key. So a kill before that step leaves the old pair, and one after it the new.
package keypair

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stampd/stampd/uplink/file"
)

// nextSuffix is appended to the key's path for the key to come.
const nextSuffix = ".next"

// loads is how often Load looks at the files before it says that they don't belong together: they may be switched
// between two reads.
const loads = 3

// ErrMismatch means that the certificate belongs to neither key.
var ErrMismatch = errors.New("the certificate and the key don't belong together")

// Files are the paths of a pair, which differ. Any number of callers may load it while one switches.
type Files struct {
	Cert string // the certificate chain, PEM, the terminal's own first
	Key  string // its private key, PKCS #8 in PEM, readable by its owner alone
}

// Load returns the certificate with its key, and its Leaf parsed. It writes nothing. The error wraps [fs.ErrNotExist]
// when there is no certificate or no key, and [ErrMismatch] when they don't belong together.
func (f Files) Load() (pair tls.Certificate, err error) {
	for range loads {
		if pair, err = f.load(); !errors.Is(err, ErrMismatch) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return pair, err
}

func (f Files) load() (tls.Certificate, error) {
	chain, err := os.ReadFile(f.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read certificate: %w", err)
	}
	next, nextErr := os.ReadFile(f.Key + nextSuffix)
	key, err := os.ReadFile(f.Key)
	if err == nil {
		pair, err := tls.X509KeyPair(chain, key)
		if err == nil {
			return pair, nil
		}
		if nextErr != nil {
			return tls.Certificate{}, f.unfit(chain, err)
		}
	}
	if nextErr == nil {
		if pair, err := tls.X509KeyPair(chain, next); err == nil {
			return pair, nil
		}
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read key: %w", err)
	}
	return tls.Certificate{}, f.unfit(chain, ErrMismatch)
}

// unfit says why a certificate and a key are no pair, without anything that is in the key's file.
func (f Files) unfit(chain []byte, err error) error {
	block, _ := pem.Decode(chain)
	if block == nil {
		return fmt.Errorf("cannot use certificate %s: it is not PEM", f.Cert)
	}
	cert, parseErr := x509.ParseCertificate(block.Bytes)
	if parseErr != nil {
		return fmt.Errorf("cannot use certificate %s: %w", f.Cert, parseErr)
	}
	if key, keyErr := readKey(f.Key); keyErr == nil && !same(key.Public(), cert.PublicKey) {
		err = ErrMismatch
	}
	return fmt.Errorf("cannot use certificate %s with key %s: %w", f.Cert, f.Key, err)
}

// Next returns the key that the next certificate is to be asked for: a new one on the P-256 curve at the first call, and
// after that the same, also after a kill, until [Files.Switch] has made it the pair's. It is on disk before Next returns,
// readable by its owner alone. One caller at a time.
func (f Files) Next() (crypto.Signer, error) {
	if filepath.Clean(f.Cert) == filepath.Clean(f.Key) {
		return nil, errors.New("cannot make key: certificate and key are to be in files of their own")
	}
	if err := f.settle(); err != nil {
		return nil, err
	}
	path := f.Key + nextSuffix
	if key, err := readKey(path); err == nil {
		return key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(der)
	defer clear(text)
	for _, path := range []string{f.Cert, path} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make folder of key: %w", err)
		}
	}
	if err := file.Replace(path, text, 0o600); err != nil {
		return nil, err
	}
	return key, nil
}

// Switch makes chain and the key of [Files.Next] the pair. It fails with [ErrMismatch], and changes nothing, when the
// first certificate of chain is for another key. When it returns another error, either the old pair is there or the new.
func (f Files) Switch(chain []*x509.Certificate) error {
	next, err := readKey(f.Key + nextSuffix)
	if err != nil {
		return err
	}
	if len(chain) == 0 || !same(next.Public(), chain[0].PublicKey) {
		return fmt.Errorf("cannot switch to the new certificate: %w", ErrMismatch)
	}
	var text bytes.Buffer
	for _, c := range chain {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a buffer takes everything
	}
	if err := file.Replace(f.Cert, text.Bytes(), 0o644); err != nil {
		return err
	}
	return f.settle()
}

// settle gives the next key its name when the certificate is for it already: what a kill within [Files.Switch] left.
func (f Files) settle() error {
	next, err := readKey(f.Key + nextSuffix)
	if err != nil {
		return nil // there is none, or none that a certificate could be for
	}
	text, err := os.ReadFile(f.Cert)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !same(next.Public(), cert.PublicKey) {
		return nil
	}
	return file.Rename(f.Key+nextSuffix, f.Key)
}

// readKey reads a private key that can sign. The error never holds what is in the file.
func readKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("cannot use key %s: it is not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("cannot use key %s: it is not PKCS #8", path)
	}
	return key, nil
}

// same reports whether two public keys are equal.
func same(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
