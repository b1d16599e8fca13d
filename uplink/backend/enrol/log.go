package enrol

import (
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/identity"
)

// noSerial returns the serial number of no certificate (RFC 5280, section 4.1.2.2, wants a positive one).
func noSerial() *big.Int { return new(big.Int) }

// tell logs that a certificate was issued, beside what is told of the occasion.
func (s *Server) tell(r *http.Request, id identity.ID, cert *x509.Certificate, occasion *zerolog.Event, message string) {
	s.Logger.Info().Str("remote", r.RemoteAddr).Str("merchant", id.Merchant).Str("terminal", id.Terminal).
		Hex("serial", cert.SerialNumber.Bytes()).Time("not_after", cert.NotAfter).Dict("for", occasion).Msg(message)
}

// refuse tells the caller why it gets no certificate, and logs it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		s.Logger.Error().Str("remote", r.RemoteAddr).Err(err).Msg("cannot issue")
		p = &problem{http.StatusInternalServerError, "the backend failed"}
	} else {
		s.Logger.Warn().Str("remote", r.RemoteAddr).Str("operation", r.Pattern).Int("status", p.status).Str("reason", p.text).Msg("request refused")
	}
	if p.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="stampd enrolment", charset="UTF-8"`) // RFC 7617
	}
	http.Error(w, p.text, p.status)
}
