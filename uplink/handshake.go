package uplink

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// inItsPlace is the suspicion when somebody else than the backend answers.
const inItsPlace = "something between here and the backend answers in its place: a captive portal or an intercepting proxy"

// handshakeFailure explains a handshake with the peer, which is the backend or a proxy, that went wrong. name is what its
// certificate had to bear, now the time it was judged by, and cas where the authorities are listed.
func handshakeFailure(peer, name, cas string, now time.Time, err error) error {
	f := &Failure{Stage: wire.UplinkStage_UPLINK_STAGE_TLS, cause: err}
	if peer != theBackend {
		f.Stage = wire.UplinkStage_UPLINK_STAGE_PROXY
	}
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		f.Problem, f.Remedy = noHandshake(peer, header)
		return f
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		f.Problem = fmt.Sprintf("%s shows a certificate for %s, not for %s", peer, namesOf(host.Certificate), quote(name))
		f.Remedy = inItsPlace + "; sign in on the network, or correct server_name in section [uplink]"
		return f
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		f.Problem = fmt.Sprintf("%s shows a certificate of an unknown authority, %s", peer, issuerOf(unknown.Cert))
		f.Remedy = inItsPlace + "; sign in on the network, or add the authority to " + cas
		return f
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		f.Problem, f.Remedy = invalidCertificate(peer, now, invalid)
		return f
	}
	if alert, ok := remoteAlert(err); ok {
		f.Problem = fmt.Sprintf("%s ends the handshake: %s", peer, alert)
		f.Remedy = "it wants other TLS settings or another name than this terminal has; its own log says more"
		return f
	}
	switch {
	case isTimeout(err):
		f.Problem = fmt.Sprintf("%s accepts connections and does not answer the TLS handshake", peer)
		f.Remedy = "it is overloaded, speaks no TLS, or a firewall drops what follows"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		f.Problem = fmt.Sprintf("the connection to %s was cut during the TLS handshake", peer)
		f.Remedy = "a firewall cuts it, or what listens there speaks no TLS"
	default:
		f.Problem = fmt.Sprintf("TLS handshake with %s failed: %v", peer, last(err))
		f.Remedy = "what listens there may not be " + peer
	}
	return f
}

// noHandshake explains an answer that is not TLS.
func noHandshake(peer string, err tls.RecordHeaderError) (problem, remedy string) {
	if bytes.HasPrefix(err.RecordHeader[:], []byte("HTTP/")) {
		return peer + " answers in plain HTTP instead of TLS", inItsPlace + "; sign in on the network, or ask for a way through"
	}
	return peer + " does not answer in TLS", inItsPlace + "; or the port is another program's"
}

// invalidCertificate explains a certificate that is of the right authority and can't be used.
func invalidCertificate(peer string, now time.Time, err x509.CertificateInvalidError) (problem, remedy string) {
	if err.Reason != x509.Expired || err.Cert == nil {
		return fmt.Sprintf("%s shows a certificate that is not meant for this: %s", peer, quote(err.Error())), "the backend needs another certificate"
	}
	what := "has expired"
	if now.Before(err.Cert.NotBefore) {
		what = "is not valid yet"
	}
	return fmt.Sprintf("the certificate of %s %s: it is valid from %s to %s, and this terminal's clock says %s", peer, what,
			stamp(err.Cert.NotBefore), stamp(err.Cert.NotAfter), stamp(now)),
		"set the terminal's clock when it is wrong; when it is right, the other side needs a new certificate"
}

// remoteAlert returns the peer's own words, if it was the peer that ended a TLS connection. Package crypto/tls has no type
// for them.
func remoteAlert(err error) (text string, ok bool) {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.TrimPrefix(op.Err.Error(), "tls: "), true
	}
	return "", false
}

// certificateRemedy returns what to do about what a backend says in TLS about a terminal's certificate (RFC 8446, section
// 6.2), as package crypto/tls puts it; ok is false when it is not about that. The reference backend says "bad certificate"
// of a terminal on its deny list and of none else: package crypto/tls lets it choose no other word.
func certificateRemedy(alert string) (remedy string, ok bool) {
	switch alert {
	case "bad certificate", "revoked certificate", "access denied":
		return "the terminal or its certificate is on the backend's deny list: 'stampd-backend deny list' has the reason; what is queued is kept", true
	case "expired certificate":
		return "it has expired, or one of the two clocks is wrong; 'stampd enroll' gets another, for a token", true
	case "unknown certificate authority", "certificate required":
		return "it is of another authority than the backend's; 'stampd enroll --force' gets another, for a token", true
	case "unsupported certificate", "unknown certificate":
		return "the backend's log says why", true
	}
	return "", false
}

// namesOf returns the names in a certificate, as they may stand in an error.
func namesOf(c *x509.Certificate) string {
	if c == nil {
		return "another name"
	}
	var names []string
	for _, n := range c.DNSNames {
		names = append(names, quote(n))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0 && c.Subject.CommonName != "":
		return quote(c.Subject.CommonName)
	case len(names) == 0:
		return "no name at all"
	case len(names) > 3:
		return strings.Join(names[:3], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

func issuerOf(c *x509.Certificate) string {
	if c == nil {
		return "without a name"
	}
	return quote(c.Issuer.String())
}

// stamp writes a time for people, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
