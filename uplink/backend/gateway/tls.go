package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/identity"
)

// LoadTLS returns the TLS settings of the gateway: TLS 1.3 only, a certificate of the authority in caFile demanded of
// everybody, and sessions that are resumed with tickets of 16 bytes.
// The error wraps [os.ErrNotExist] when a file is missing.
//
// The files are read again at the first handshake after one of them has changed. Files that can't be used are logged, and
// those that were read before stay in use. The caller may change the settings before the first handshake.
func LoadTLS(certFile, keyFile, caFile string, logger zerolog.Logger) (*tls.Config, error) {
	f := &tlsFiles{paths: [3]string{certFile, keyFile, caFile}, logger: logger}
	f.stamps = f.stat()
	var err error
	if f.pair, f.pool, err = f.load(); err != nil {
		return nil, err
	}
	sessions := newTickets()
	cfg := &tls.Config{
		Certificates:     []tls.Certificate{f.pair},
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ClientCAs:        f.pool,
		CurvePreferences: identity.Curves(),
		MinVersion:       tls.VersionTLS13,
		WrapSession:      sessions.wrap,
		UnwrapSession:    sessions.unwrap,
	}
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := cfg.Clone()
		pair, pool := f.current()
		now.Certificates, now.ClientCAs = []tls.Certificate{pair}, pool
		return now, nil
	}
	return cfg, nil
}

// tlsFiles are the files of a server's TLS settings: certificate, key and authority.
type tlsFiles struct {
	paths  [3]string
	logger zerolog.Logger

	mu     sync.Mutex // guards everything below
	stamps [3]stamp
	pair   tls.Certificate
	pool   *x509.CertPool
}

// stamp tells one state of a file from another. A missing file has the zero stamp.
type stamp struct {
	device, inode uint64
	size          int64
	changed       syscall.Timespec
}

// current returns what the files hold, or what they last held that could be used.
func (f *tlsFiles) current() (tls.Certificate, *x509.CertPool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if stamps := f.stat(); stamps != f.stamps {
		f.stamps = stamps
		pair, pool, err := f.load()
		if err != nil {
			f.logger.Error().Err(err).Msg("changed certificates can't be used; the last ones stay in use")
		} else {
			f.pair, f.pool = pair, pool
			f.logger.Info().Time("not_after", pair.Leaf.NotAfter).Msg("changed certificates are in use")
		}
	}
	return f.pair, f.pool
}

// stat returns the states of the files.
func (f *tlsFiles) stat() (stamps [3]stamp) {
	for i, path := range f.paths {
		var s syscall.Stat_t
		if syscall.Stat(path, &s) == nil {
			stamps[i] = stamp{device: s.Dev, inode: s.Ino, size: s.Size, changed: s.Ctim}
		}
	}
	return stamps
}

func (f *tlsFiles) load() (pair tls.Certificate, pool *x509.CertPool, err error) {
	if pair, err = tls.LoadX509KeyPair(f.paths[0], f.paths[1]); err != nil {
		return pair, nil, fmt.Errorf("cannot load server certificate: %w", err)
	}
	text, err := os.ReadFile(f.paths[2])
	if err != nil {
		return pair, nil, fmt.Errorf("cannot load certificate authority: %w", err)
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return pair, nil, fmt.Errorf("cannot load certificate authority: %w", errors.New(f.paths[2]+" holds no certificate"))
	}
	return pair, pool, nil
}
