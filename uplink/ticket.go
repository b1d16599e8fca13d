package uplink

import (
	"bytes"
	"crypto/tls"
)

// tickets keeps the last TLS session with the backend for the next attempt. Resuming it takes no certificates, and a third
// of the bytes. Its ticket is as long as the backend makes it: the reference backend's has 16 bytes. One goroutine uses
// it.
type tickets struct {
	leaf  []byte // the terminal's certificate in the session
	cache tls.ClientSessionCache
}

// of returns the cache for sessions with the certificate in cfg: a new one when the certificate is another than before,
// because the backend goes by the one in the session.
func (t *tickets) of(cfg *tls.Config) tls.ClientSessionCache {
	leaf := cfg.Certificates[0].Certificate[0]
	if t.cache == nil || !bytes.Equal(t.leaf, leaf) {
		t.leaf, t.cache = leaf, tls.NewLRUClientSessionCache(1)
	}
	return t.cache
}
