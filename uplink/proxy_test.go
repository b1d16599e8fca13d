package uplink_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink"
)

const secret = "hunter2:and/more" // it needs escaping in a URL

// splice joins two connections until one ends.
func splice(a, b io.ReadWriteCloser) {
	var wg sync.WaitGroup
	for _, way := range [][2]io.ReadWriteCloser{{a, b}, {b, a}} {
		wg.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = a.Close()
			_ = b.Close()
		})
	}
	wg.Wait()
}

// connectProxy is an HTTP proxy that lets user shop in, to wherever names says, and counts its tunnels.
func connectProxy(t *testing.T, names map[string]string, tunnels *atomic.Int64) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		req, err := http.ReadRequest(r)
		if err != nil || req.Method != http.MethodConnect {
			return
		}
		refuse := func(code int) { fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n\r\n", code, http.StatusText(code)) }
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:"+secret)); req.Header.Get("Proxy-Authorization") != want {
			refuse(http.StatusProxyAuthRequired)
			return
		}
		address, allowed := names[req.Host]
		if !allowed {
			refuse(http.StatusForbidden)
			return
		}
		out, err := net.Dial("tcp", address)
		if err != nil {
			refuse(http.StatusBadGateway)
			return
		}
		tunnels.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		splice(conn, out)
	}
}

// socksProxy is a SOCKS5 proxy (RFC 1928, with RFC 1929 for the password) to wherever names says.
func socksProxy(names map[string]string, tunnels *atomic.Int64) func(net.Conn) {
	return func(conn net.Conn) {
		read := func(n int) []byte {
			b := make([]byte, n)
			_, _ = io.ReadFull(conn, b)
			return b
		}
		read(int(read(2)[1])) // methods
		_, _ = conn.Write([]byte{5, 2})
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		if user != "shop" || password != secret {
			_, _ = conn.Write([]byte{1, 1})
			return
		}
		_, _ = conn.Write([]byte{1, 0})
		if request := read(4); request[3] != 3 { // a name
			return
		}
		host := string(read(int(read(1)[0])))
		port := read(2)
		out, err := net.Dial("tcp", names[fmt.Sprintf("%s:%d", host, int(port[0])<<8|int(port[1]))])
		if err != nil {
			_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		tunnels.Add(1)
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		splice(conn, out)
	}
}

func proxyAt(t *testing.T, scheme, user, address string) uplink.Proxy {
	t.Helper()
	if user != "" {
		user += "@"
	}
	p, err := uplink.ParseProxy(scheme + "://" + user + address)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// logged collects what a client logs.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestProxies goes through each kind of proxy to a backend whose name only the proxy knows, and fails with each.
func TestProxies(t *testing.T) {
	const right, wrong = "shop:hunter2%3Aand%2Fmore", "shop:hunter3%3Aand%2Fmore"
	for _, c := range []struct {
		name, scheme, user string
		backend            string
		problem            string // empty when it works
	}{
		{"http", "http", right, "gateway.test:8443", ""},
		{"https", "https", right, "gateway.test:8443", ""},
		{"socks5", "socks5", right, "gateway.test:8443", ""},
		{"http, wrong password", "http", wrong, "gateway.test:8443", "does not accept the user and the password (407"},
		{"http, no password", "http", "", "gateway.test:8443", "wants a user and a password (407"},
		{"http, elsewhere", "http", right, "elsewhere.test:8443", "does not allow connections to elsewhere.test:8443 (403"},
		{"http, backend down", "http", right, "down.test:8443", "cannot reach down.test:8443 (502"},
		{"socks5, wrong password", "socks5", wrong, "gateway.test:8443", "authentication failed"},
		{"socks5, backend down", "socks5", right, "down.test:8443", "host unreachable"},
		{"socks5 spoken to http", "http as socks5", right, "gateway.test:8443", "the proxy at"},
		{"http spoken to socks5", "socks5 as http", right, "gateway.test:8443", "the proxy at"},
		{"silent", "silent", right, "gateway.test:8443", "does not answer"},
		{"nobody there", "gone", right, "gateway.test:8443", "refuses connections"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var tunnels atomic.Int64
			var log logged
			b := newBench(t, func(string) string { return c.backend }, func(o *uplink.Options) {
				certs := filepath.Dir(o.TLS.CA)
				names := map[string]string{"gateway.test:8443": serveScript(t, honest)(certs), "down.test:8443": "127.0.0.1:1"}
				scheme, address := c.scheme, ""
				switch c.scheme {
				case "http", "http as socks5":
					scheme = strings.TrimPrefix(c.scheme, "http as ")
					address = serveConns(t, connectProxy(t, names, &tunnels))
				case "socks5", "socks5 as http":
					scheme = strings.TrimPrefix(c.scheme, "socks5 as ")
					address = serveConns(t, socksProxy(names, &tunnels))
				case "https":
					o.ProxyCA = o.TLS.CA
					pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"))
					if err != nil {
						t.Fatal(err)
					}
					inner := connectProxy(t, names, &tunnels)
					address = serveConns(t, func(conn net.Conn) { inner(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}})) })
				case "silent":
					scheme, address = "http", serveConns(t, mute)
				case "gone":
					scheme, address = "http", "127.0.0.1:1"
				}
				o.Proxy = proxyAt(t, scheme, c.user, address)
				o.Log = zerolog.New(&log)
				if c.problem != "" {
					patient(o)
				}
			})
			b.add(3)
			b.run()
			if c.problem == "" {
				flushed(t, b)
				if tunnels.Load() == 0 {
					t.Error("the proxy was not asked")
				}
			} else if s := b.failed(); s.GetStage() != atProxy || !strings.Contains(s.GetLastError(), c.problem) || s.GetHint() == "" {
				t.Errorf("at %v: %s\nhint: %s", s.GetStage(), s.GetLastError(), s.GetHint())
			}
			told := b.client.Status().String() + log.String() + fmt.Sprintf("%v %+v", b.client.Proxy, b.client.Proxy)
			if strings.Contains(told, "hunter") || strings.Contains(told, base64.StdEncoding.EncodeToString([]byte("shop:"+secret))) {
				t.Errorf("it tells the password: %s", told)
			}
		})
	}
}

// The environment is asked only when the settings say so.
func TestEnvironment(t *testing.T) {
	var tunnels atomic.Int64
	names := map[string]string{}
	t.Setenv("HTTPS_PROXY", "http://shop:hunter2%3Aand%2Fmore@"+serveConns(t, connectProxy(t, names, &tunnels)))
	for _, p := range []string{"", "environment"} {
		b := newBench(t, func(certs string) string {
			names["gateway.test:8443"] = serveScript(t, honest)(certs)
			return "gateway.test:8443"
		}, func(o *uplink.Options) {
			patient(o)
			o.Resolver = serveDNS(t, nil)
			o.Proxy, _ = uplink.ParseProxy(p)
		})
		b.add(1)
		b.run()
		if p == "" {
			if s := b.failed(); s.GetStage() != atDNS || tunnels.Load() != 0 {
				t.Errorf("without a proxy it fails at %v: %s", s.GetStage(), s.GetLastError())
			}
			continue
		}
		flushed(t, b)
		if tunnels.Load() == 0 {
			t.Error("the environment's proxy was not used")
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "environment": "environment", "http://gate": "http://gate:80", "https://gate": "https://gate:443", "socks5://gate": "socks5://gate:1080",
		"http://gate:3128/": "http://gate:3128", "http://u:p@gate:3128": "http://u:xxxxx@gate:3128", "socks5://[::1]:9": "socks5://[::1]:9",
		"http://u@gate": "http://u@gate:80",
		"gate:3128":     "error", "gate": "error", "ftp://gate": "error", "http://": "error", "http://gate/x": "error", "http://gate?x": "error",
		"http://gate:port": "error", "http://u:p%ZZ@gate": "error", "http:gate": "error", "http://" + strings.Repeat("u", 256) + "@gate": "error",
	} {
		p, err := uplink.ParseProxy(text)
		got := p.String()
		if err != nil {
			got = "error"
			if err != uplink.ErrProxy { // that very one, so that nothing of the text is in it
				t.Errorf("%q: %v", text, err)
			}
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
