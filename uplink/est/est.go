// Package est gets a terminal its certificates from an EST server (RFC 7030): the first one for a one-time token, and each
// later one for the one before it.
//
// The agent uses it: `stampd enroll` makes a [Client], and the running agent a [Renewer]. The server is verified against
// the authorities that a person vouched for, and against no others; what it answers is bounded, and a certificate that is
// not this terminal's, for this key, is refused. It never follows a redirect and never prints a token or a key. Package
// keypair keeps what it gets.
package est

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/stampd/stampd/uplink/identity"
)

// patience is how long one request may take, with its connection: a handshake and 2 KB each way over the worst of links.
const patience = 60 * time.Second

// Client asks one EST server. It is safe for concurrent use. Each call makes a connection of its own and closes it.
type Client struct {
	Server Address        // whom to ask
	Roots  *x509.CertPool // the authorities that the server's certificate may come from

	Now  func() time.Time                                                  // by which the server's certificate is judged; time.Now when nil
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // a plain connection when nil
}

// Enroll asks for the first certificate of the terminal id, for key and with a one-time token (RFC 7030, sections 3.2.3
// and 4.2.1). It returns the terminal's certificate and those between it and its authority, most often none. Asked again
// with the same token and key, a server gives a certificate again; with another key it refuses.
//
// Errors: a [*RefusedError] or a [*LaterError] is the server's answer; everything else means that it could not be asked,
// or that its answer is not to be believed.
func (c *Client) Enroll(ctx context.Context, id identity.ID, token string, key crypto.Signer) ([]*x509.Certificate, error) {
	return c.issue(ctx, id, "simpleenroll", key, nil, token)
}

// Reenroll asks for another certificate of the terminal that current is for, for another key (RFC 7030, section 4.2.2).
// It returns what [Client.Enroll] returns.
func (c *Client) Reenroll(ctx context.Context, current tls.Certificate, key crypto.Signer) ([]*x509.Certificate, error) {
	id, err := identity.FromCertificate(current.Leaf)
	if err != nil {
		return nil, err
	}
	return c.issue(ctx, id, "simplereenroll", key, &current, "")
}

// issue fetches the authority's certificates and then asks it for one, over one connection.
func (c *Client) issue(ctx context.Context, id identity.ID, operation string, key crypto.Signer, current *tls.Certificate, token string) ([]*x509.Certificate, error) {
	request, err := certificateRequest(id, key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := c.open(current)
	defer s.close()
	authorities, err := s.get(ctx, "cacerts")
	if err != nil {
		return nil, err
	}
	answer, err := s.post(ctx, operation, id.Terminal, token, request)
	if err != nil {
		return nil, err
	}
	chain, err := issued(answer, authorities, id, key.Public())
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate that %s issued: %w", c.Server, err)
	}
	return chain, nil
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
