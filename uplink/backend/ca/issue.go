package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// ErrHost means that a server was to be named by something that is neither an IP address nor a DNS name.
var ErrHost = errors.New("neither an IP address nor a DNS name")

// IssueServer writes server.pem, server.key and ca.pem to out, for a server reached by any of hosts, each a DNS name or
// an IP address. The certificate lasts 90 days. A server.pem and server.key that are there are replaced, so that a
// certificate can be renewed in place.
func IssueServer(dir string, hosts []string, out string) error {
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, host := range hosts {
		switch ip := net.ParseIP(host); {
		case ip != nil:
			template.IPAddresses = append(template.IPAddresses, ip)
		case validHost(host):
			template.DNSNames = append(template.DNSNames, host)
		default:
			return fmt.Errorf("cannot issue certificate for %q: %w", host, ErrHost)
		}
	}
	if len(hosts) == 0 {
		return fmt.Errorf("cannot issue certificate for no host: %w", ErrHost)
	}
	a, err := Load(dir)
	if err != nil {
		return err
	}
	if err := a.place(out); err != nil {
		return err
	}
	return a.issue(template, out, ServerCertFile, ServerKeyFile)
}

// IssueTerminal writes terminal.pem, terminal.key, member.key and ca.pem to out, for one terminal. The certificate lasts
// 90 days and names the terminal in a URI and nowhere else. A terminal.pem and terminal.key that are there are replaced,
// so that a certificate can be renewed in place. member.key is the merchant's key for references to phone numbers, 64
// hex digits and a newline: the same for every terminal of a merchant, and never replaced by another merchant's.
// When out holds files of another authority or another merchant, IssueTerminal returns [ErrOtherAuthority] or
// [ErrOtherMerchant].
func IssueTerminal(dir string, id identity.ID, out string) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("cannot issue certificate: %w", err)
	}
	a, err := Load(dir)
	if err != nil {
		return err
	}
	member, err := memberKey(dir, id.Merchant)
	if err != nil {
		return err
	}
	if err := a.place(out); err != nil {
		return err
	}
	if err := keepFile(filepath.Join(out, MemberKeyFile), hexKey(member), 0o600, ErrOtherMerchant); err != nil {
		return err
	}
	return a.issue(forTerminal(id), out, TerminalCertFile, TerminalKeyFile)
}

// place makes the folder out, with the authority's certificate in it.
func (a *Authority) place(out string) error {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("cannot make folder for certificate: %w", err)
	}
	return keepFile(filepath.Join(out, CertFile), a.certPEM, 0o644, ErrOtherAuthority)
}

// issue signs template for a new key, and writes both to out.
func (a *Authority) issue(template *x509.Certificate, out, certName, keyName string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot generate key: %w", err)
	}
	der, err := a.sign(template, &key.PublicKey, leafLife)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := file.Replace(filepath.Join(out, keyName), keyPEM, 0o600); err != nil {
		return err
	}
	return file.Replace(filepath.Join(out, certName), encodeCert(der), 0o644)
}

// keepFile makes the file unless it is there with the same contents. It returns other when it has others.
func keepFile(path string, data []byte, perm os.FileMode, other error) error {
	err := file.Create(path, data, perm)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot compare file: %w", err)
	}
	if !bytes.Equal(have, data) {
		return fmt.Errorf("cannot write %s: %w", path, other)
	}
	return nil
}

// validHost reports whether s is a DNS name of letters, digits and dashes (RFC 1123, section 2.1).
func validHost(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i] | 0x20
			if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}
