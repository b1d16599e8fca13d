package est

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/pkcs7"
)

// Limits of an answer.
const (
	maxHeader = 16 << 10
	maxBody   = 2 * pkcs7.MaxSize // base64 with line breaks is 1.4 times as large as what it encodes
	maxReason = 200
	maxAfter  = 24 * time.Hour
)

// exchange is one connection to a server.
type exchange struct {
	server Address
	http   *http.Client
}

// open prepares a connection, with a certificate to show or without.
func (c *Client) open(current *tls.Certificate) *exchange {
	cfg := &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: identity.Curves(),
		RootCAs:          c.Roots,
		ServerName:       c.Server.host(),
		Time:             c.now,
	}
	if current != nil {
		cfg.Certificates = []tls.Certificate{*current}
	}
	return &exchange{server: c.Server, http: &http.Client{
		Transport: &http.Transport{
			DialContext:            c.Dial,
			TLSClientConfig:        cfg,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (e *exchange) close() { e.http.CloseIdleConnections() }

// get asks for what needs no proof.
func (e *exchange) get(ctx context.Context, operation string) ([]*x509.Certificate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.server.url(operation), nil)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", e.server, err)
	}
	return e.do(req)
}

// post sends a certificate request, with a token unless that is empty.
func (e *exchange) post(ctx context.Context, operation, user, token string, request []byte) ([]*x509.Certificate, error) {
	body := bytes.NewReader(pkcs7.Encode(request))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.server.url(operation), body)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", e.server, err)
	}
	req.Header.Set("Content-Type", "application/pkcs10")
	req.Header.Set("Content-Transfer-Encoding", "base64")
	if token != "" {
		req.SetBasicAuth(user, token)
	}
	return e.do(req)
}

// do sends a request and reads the certificates of the answer.
func (e *exchange) do(req *http.Request) ([]*x509.Certificate, error) {
	req.Header.Set("User-Agent", "stampd")
	res, err := e.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s: %w", e.server, plain(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the answer of %s: %w", e.server, err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("cannot read the answer of %s: it has more than %d bytes", e.server, maxBody)
	case res.StatusCode != http.StatusOK:
		return nil, e.declined(res, body)
	}
	media, parameters, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	kind, named := parameters["smime-type"]
	if err != nil || media != "application/pkcs7-mime" || named && kind != "certs-only" {
		return nil, fmt.Errorf("cannot read the answer of %s: it is not application/pkcs7-mime; smime-type=certs-only", e.server)
	}
	der, err := pkcs7.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of %s: it is not base64", e.server)
	}
	certs, err := pkcs7.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer of %s: %w", e.server, err)
	}
	return certs, nil
}

// declined returns what an answer other than 200 means.
func (e *exchange) declined(res *http.Response, body []byte) error {
	switch status := res.StatusCode; {
	case status == http.StatusAccepted, status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return &LaterError{Server: e.server, Status: status, After: retryAfter(res.Header.Get("Retry-After"))}
	case status >= 300 && status < 400:
		return fmt.Errorf("cannot ask %s: it sends elsewhere (HTTP status %d), which is not followed", e.server, status)
	case status >= 400 && status < 500:
		return &RefusedError{Server: e.server, Status: status, Reason: reason(res, body)}
	default:
		return fmt.Errorf("cannot ask %s: it failed (HTTP status %d)", e.server, status)
	}
}

// reason returns the first line of a plain text, or nothing.
func reason(res *http.Response, body []byte) string {
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media != "text/plain" {
		return ""
	}
	line, _, _ := strings.Cut(string(body[:min(len(body), maxReason)]), "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, line))
}

// retryAfter reads Retry-After in seconds (RFC 9110, section 10.2.3), or returns 0. A date is not read: it takes a clock.
func retryAfter(s string) time.Duration {
	seconds, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxAfter)
}

// plain leaves out the method and the address, which the caller names.
func plain(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}
