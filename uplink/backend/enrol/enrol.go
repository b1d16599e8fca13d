// Package enrol gives terminals their certificates: an EST server (RFC 7030) that issues by the backend's authority, to
// who has a one-time token or a certificate that is still good.
//
// The backend runs one [Server] beside the gateway, and the command line makes [Tokens]. Who a certificate is for comes
// from the token, or from the certificate that is renewed, and never from the request. It keeps tokens as hashes only,
// and never logs one.
package enrol

import (
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
)

// Limits of a server. A caller that exceeds one is told so, or cut off.
const (
	maxConns     = 512      // at a time; more wait to be accepted
	maxRequests  = 8        // at a time that read a disk or sign; more wait
	maxHeader    = 8 << 10  // bytes
	maxBody      = 16 << 10 // bytes of a request; one with a P-256 key has some 500
	readTimeout  = 15 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 15 * time.Second
	comeAgain    = "5" // seconds, for who is asked to come again
)

// Options is what a server needs.
type Options struct {
	Authority *ca.Authority
	Tokens    *Tokens
	Deny      *deny.List    // who gets no certificate; nil is nobody
	TLS       *tls.Config   // as the gateway's: the server's certificate and the authority of terminals
	Life      time.Duration // how long certificates last; the authority's default when 0
	Logger    zerolog.Logger
}

// Server answers EST requests. Make one with [New].
type Server struct {
	Options
	slots    chan struct{}
	patience time.Duration // of a request that finds no slot
	http     *http.Server
}

// New returns a server that serves nobody before [Server.Serve].
func New(o Options) *Server {
	s := &Server{Options: o, slots: make(chan struct{}, maxRequests), patience: 5 * time.Second}
	s.http = &http.Server{
		Handler:           s.routes(),
		TLSConfig:         s.tlsConfig(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(connectionLog{o.Logger}, "", 0),
		Protocols:         new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	return s
}

// tlsConfig is the gateway's, but that a terminal which has no certificate yet is let in, that one on the deny list is
// told so in words, and that the authority's certificate is shown, so that a terminal can tell it by its fingerprint.
func (s *Server) tlsConfig() *tls.Config {
	relax := func(cfg *tls.Config) *tls.Config {
		cfg = cfg.Clone()
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
		cfg.VerifyConnection = nil
		cfg.SessionTicketsDisabled, cfg.WrapSession, cfg.UnwrapSession = true, nil, nil
		for i, pair := range cfg.Certificates {
			chain := append([][]byte(nil), pair.Certificate...)
			cfg.Certificates = append([]tls.Certificate(nil), cfg.Certificates...)
			cfg.Certificates[i].Certificate = append(chain, s.Authority.Certificate().Raw)
		}
		cfg.NextProtos = []string{"http/1.1"}
		return cfg
	}
	cfg := relax(s.TLS)
	if fresh := s.TLS.GetConfigForClient; fresh != nil {
		cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			now, err := fresh(hello)
			if err != nil || now == nil {
				return now, err
			}
			return relax(now), nil
		}
	}
	return cfg
}

// Serve answers requests on l until [Server.Close]. It always returns an error; after Close that is [http.ErrServerClosed].
func (s *Server) Serve(l net.Listener) error {
	return s.http.ServeTLS(newLimitedListener(l, maxConns), "", "")
}

// Close closes the listener and every connection. A certificate that was issued is kept, and given again to who asks with
// the same token and key.
func (s *Server) Close() error { return s.http.Close() }

// connectionLog logs what net/http says about connections.
type connectionLog struct{ zerolog.Logger }

func (l connectionLog) Write(p []byte) (int, error) {
	l.Warn().Bytes("reason", p).Msg("connection refused")
	return len(p), nil
}
