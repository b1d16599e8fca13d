package uplink

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Proxy is what stands between the terminal and the backend. TLS goes through it from end to end: it sees the backend's
// address and nothing else. The zero Proxy is none; the environment is never asked unless the settings say so.
type Proxy struct {
	url         *url.URL // nil for none
	environment bool
}

// proxyPorts are the schemes that a proxy may have, with the port of each.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080"}

// ErrProxy means that a proxy is not written as it must be. It does not repeat what was written: that can hold a password.
var ErrProxy = errors.New(`want "http://host:port", "https://host:port" or "socks5://host:port", with user:password@ before the host if need be; or "environment"`)

// ParseProxy reads what a proxy is set to: a URL without a path, "environment" for what HTTPS_PROXY and NO_PROXY say when
// an attempt is made, or nothing for none. The only error is [ErrProxy].
func ParseProxy(text string) (Proxy, error) {
	switch text {
	case "":
		return Proxy{}, nil
	case "environment":
		return Proxy{environment: true}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return Proxy{}, ErrProxy
	}
	return proxyOf(u)
}

func proxyOf(u *url.URL) (Proxy, error) {
	port, known := proxyPorts[u.Scheme]
	if !known || u.Hostname() == "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Proxy{}, ErrProxy
	}
	if u.User != nil && (len(u.User.Username()) > 255 || len(password(u)) > 255) {
		return Proxy{}, ErrProxy // RFC 1929, section 2
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return Proxy{url: &url.URL{Scheme: u.Scheme, User: u.User, Host: net.JoinHostPort(u.Hostname(), port)}}, nil
}

// String returns the proxy as it is written, with x in place of the password, so that it may stand in a log.
func (p Proxy) String() string {
	switch {
	case p.environment:
		return "environment"
	case p.url == nil:
		return ""
	}
	return p.url.Redacted()
}

// GoString is String.
func (p Proxy) GoString() string { return p.String() }

// MarshalText writes the proxy as [Proxy.String] does: without its password.
func (p Proxy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what [ParseProxy] reads.
func (p *Proxy) UnmarshalText(text []byte) (err error) {
	*p, err = ParseProxy(string(text))
	return err
}

// toward returns the proxy to use for an address, which may be none.
func (p Proxy) toward(address string) (Proxy, error) {
	if !p.environment {
		return p, nil
	}
	u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
	if err == nil && u == nil {
		return Proxy{}, nil
	}
	if err == nil {
		p, err = proxyOf(u)
	}
	if err != nil {
		// Not err itself: it repeats the address, password and all.
		return Proxy{}, proxyFailure("cannot use the proxy that the environment names", "HTTPS_PROXY must be a URL, such as http://host:port", nil)
	}
	return p, nil
}

func password(u *url.URL) string {
	p, _ := u.User.Password()
	return p
}
