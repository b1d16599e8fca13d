// Package deny is the list of terminals and of certificates that the backend serves no longer.
//
// The gateway asks it at each handshake and ends the streams of those who get onto it; enrolment asks it before it issues
// anything; the command line edits it. The list is a folder with a small file for each entry, so that entries are added
// and removed while a backend runs, by any number of programs. It never forgets an entry because it can't be read.
package deny

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"sync"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// ErrDenied means that a terminal, or its certificate, is on the list.
var ErrDenied = errors.New("on the deny list")

// List is a deny list as it was last read. A nil List denies nobody. It is safe for concurrent use.
type List struct {
	dir string

	mu      sync.Mutex          // guards what follows; the map itself is never written
	denied  map[string]struct{} // by the names of the entries' files
	changed chan struct{}       // closed and replaced at each change
}

// Open reads the list in a folder, which it makes when it is missing.
func Open(dir string) (*List, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of the deny list: %w", err)
	}
	l := &List{dir: dir, changed: make(chan struct{})}
	var err error
	l.denied, err = l.read()
	return l, err
}

// Refresh reads the list again. After an error the list is as it was.
func (l *List) Refresh() error {
	denied, err := l.read()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !maps.Equal(denied, l.denied) {
		l.denied = denied
		close(l.changed)
		l.changed = make(chan struct{})
	}
	return nil
}

// Changed returns a channel that is closed when the list changes next.
func (l *List) Changed() <-chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Denies reports whether a terminal is on the list, or the certificate with a serial number.
func (l *List) Denies(id identity.ID, serial *big.Int) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	denied := l.denied
	l.mu.Unlock()
	_, terminal := denied[Terminal(id).name()]
	_, certificate := denied[Certificate(serial).name()]
	return terminal || certificate
}

// Check returns an error that wraps [ErrDenied] when a verified certificate, or the terminal that it names, is on the
// list. One that names no terminal is judged by its serial number alone.
func (l *List) Check(cert *x509.Certificate) error {
	id, _ := identity.FromCertificate(cert)
	if !l.Denies(id, cert.SerialNumber) {
		return nil
	}
	return fmt.Errorf("terminal %s with certificate %x is %w", id, cert.SerialNumber, ErrDenied)
}

// VerifyConnection is [List.Check] for the client of a connection, in the form in which [tls.Config] wants it. A client
// without a certificate passes. The client is told by the alert bad_certificate, which is what crypto/tls makes of any
// error here.
func (l *List) VerifyConnection(state tls.ConnectionState) error {
	if len(state.VerifiedChains) == 0 {
		return nil
	}
	return l.Check(state.VerifiedChains[0][0])
}

// read returns the names of the entries.
func (l *List) read() (map[string]struct{}, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the deny list: %w", err)
	}
	denied := make(map[string]struct{}, len(entries))
	for _, e := range entries {
		if file.IsTemp(e.Name()) {
			continue
		}
		if _, err := parse(e.Name()); err != nil {
			return nil, fmt.Errorf("cannot read the deny list %s: %w", l.dir, err)
		}
		denied[e.Name()] = struct{}{}
	}
	return denied, nil
}
