package enrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/pkcs7"
)

// routes are the operations of RFC 7030, section 3.2.2, that there are.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/est/cacerts", s.cacerts)
	mux.HandleFunc("GET /.well-known/est/csrattrs", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /.well-known/est/simpleenroll", s.limited(s.enroll))
	mux.HandleFunc("POST /.well-known/est/simplereenroll", s.limited(s.reenroll))
	return mux
}

// A problem is what a caller is told instead of a certificate.
type problem struct {
	status int
	text   string // one line; holds nothing of the request
}

func (p *problem) Error() string { return p.text }

// operation issues a certificate, or says why not.
type operation func(r *http.Request, request *x509.CertificateRequest) (*x509.Certificate, error)

// limited reads and checks a request, lets few at a time through to the operation, and answers. Of a fleet that comes at
// once, some wait, and some are asked to come again.
func (s *Server) limited(issue operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request, err := read(w, r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		full := time.NewTimer(s.patience)
		defer full.Stop()
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		case <-full.C:
			w.Header().Set("Retry-After", comeAgain)
			s.refuse(w, r, &problem{http.StatusServiceUnavailable, "busy: try again in " + comeAgain + " seconds"})
			return
		}
		cert, err := issue(r, request)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		s.answer(w, "; smime-type=certs-only", cert)
	}
}

// cacerts gives the authority's certificate (RFC 7030, section 4.1).
func (s *Server) cacerts(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, "", s.Authority.Certificate())
}

// enroll issues to who has a token (RFC 7030, section 4.2.1).
func (s *Server) enroll(r *http.Request, request *x509.CertificateRequest) (*x509.Certificate, error) {
	_, token, ok := r.BasicAuth()
	if !ok || token == "" {
		return nil, &problem{http.StatusUnauthorized, "a one-time token is wanted, as the password of HTTP Basic authentication"}
	}
	t, err := s.Tokens.find(token)
	if errors.Is(err, ErrUnknown) {
		return nil, &problem{http.StatusUnauthorized, "the token is not known"}
	}
	if err != nil {
		return nil, err
	}
	if err := permit(t.ID, request); err != nil {
		return nil, err
	}
	if s.Deny.Denies(t.ID, noSerial()) {
		return nil, denied()
	}
	key := request.PublicKey.(*ecdsa.PublicKey)
	cert, again, err := s.Tokens.redeem(t, key, func() (*x509.Certificate, error) { return s.Authority.Sign(t.ID, key, s.Life) })
	if err != nil {
		return nil, err
	}
	if s.Deny.Denies(t.ID, cert.SerialNumber) {
		return nil, denied()
	}
	s.tell(r, t.ID, cert, zerolog.Dict().Str("token", t.Name).Bool("again", again), "terminal enrolled")
	return cert, nil
}

// reenroll issues to the terminal whose certificate the connection has shown (RFC 7030, section 4.2.2).
func (s *Server) reenroll(r *http.Request, request *x509.CertificateRequest) (*x509.Certificate, error) {
	if len(r.TLS.VerifiedChains) == 0 {
		return nil, &problem{http.StatusUnauthorized, "the certificate that is to be renewed is wanted in the TLS handshake"}
	}
	current := r.TLS.VerifiedChains[0][0]
	id, err := identity.FromCertificate(current)
	if err != nil {
		return nil, &problem{http.StatusForbidden, err.Error()}
	}
	if s.Deny.Check(current) != nil {
		return nil, denied()
	}
	if err := permit(id, request); err != nil {
		return nil, err
	}
	cert, err := s.Authority.Sign(id, request.PublicKey.(*ecdsa.PublicKey), s.Life)
	if err != nil {
		return nil, err
	}
	s.tell(r, id, cert, zerolog.Dict().Hex("certificate", current.SerialNumber.Bytes()), "certificate renewed")
	return cert, nil
}

// permit refuses a request that names another terminal. The certificate would not name it, and the terminal that asked
// could not use it.
func permit(id identity.ID, request *x509.CertificateRequest) error {
	for _, uri := range request.URIs {
		if uri.String() != id.String() {
			return &problem{http.StatusForbidden, "the token or certificate is for another terminal than the request"}
		}
	}
	return nil
}

func denied() error {
	return &problem{http.StatusForbidden, "this terminal, or its certificate, is on the backend's deny list"}
}

// read reads a PKCS #10 request in base64 (RFC 7030, section 4.2.1; RFC 8951, section 3.1), and checks that it comes from
// who has the key, and that the key is on the P-256 curve.
func read(w http.ResponseWriter, r *http.Request) (*x509.CertificateRequest, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/pkcs10" {
		return nil, &problem{http.StatusUnsupportedMediaType, "want Content-Type: application/pkcs10"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("want at most %d bytes", maxBody)}
	}
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "the request was cut short"}
	}
	der, err := pkcs7.Decode(body)
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "the request is not base64"}
	}
	return parse(der)
}

// parse reads and checks a PKCS #10 request.
func parse(der []byte) (*x509.CertificateRequest, error) {
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, &problem{http.StatusBadRequest, "the request is not PKCS #10"}
	}
	if key, ok := request.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, &problem{http.StatusBadRequest, "want a key on the P-256 curve"}
	}
	if request.CheckSignature() != nil {
		return nil, &problem{http.StatusBadRequest, "the request is not signed with its key"}
	}
	return request, nil
}

// answer sends certificates in base64, in lines (RFC 7030, section 4.1.3).
func (s *Server) answer(w http.ResponseWriter, parameters string, certs ...*x509.Certificate) {
	der, err := pkcs7.Marshal(certs...)
	if err != nil {
		s.Logger.Error().Err(err).Msg("cannot answer")
		http.Error(w, "the backend failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/pkcs7-mime"+parameters)
	w.Header().Set("Content-Transfer-Encoding", "base64")
	_, _ = w.Write(pkcs7.Encode(der)) // a caller that went asks again
}
