package est

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Address is where an EST server is, as host:port. [ParseAddress] makes one.
type Address string

// errAddress says how an address is written.
var errAddress = errors.New(`want host:port or https://host:port, such as "est.example:8444"`)

// ParseAddress reads "host:port", "https://host:port" or "https://host", which is port 443 (RFC 7030, section 3.2.2).
// Plain http is refused, and so are a path, a user and a query.
func ParseAddress(s string) (Address, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
		if u, err := url.Parse(s); err != nil || u.Port() == "" {
			return "", errAddress
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errAddress
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errAddress
	}
	return Address(net.JoinHostPort(u.Hostname(), port)), nil
}

// host returns the name that the server's certificate must bear.
func (a Address) host() string {
	host, _, _ := net.SplitHostPort(string(a))
	return host
}

// url returns the address of an operation (RFC 7030, section 3.2.2).
func (a Address) url(operation string) string {
	return "https://" + string(a) + "/.well-known/est/" + operation
}
