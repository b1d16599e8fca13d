package uplink_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/stampd/stampd/uplink"
)

// serveDNS starts a name server that answers every question as answer does, and returns a resolver that asks it. An
// answer of nil is silence.
func serveDNS(t *testing.T, answer func(q dnsmessage.Question, m *dnsmessage.Message)) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || answer == nil {
				continue
			}
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
			answer(m.Questions[0], &reply)
			if packed, err := reply.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestNamesThatFail(t *testing.T) {
	unreachable := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:1")
	}}
	for _, c := range []struct {
		name     string
		resolver func(t *testing.T) *net.Resolver
		problem  string
	}{
		{"not found", func(t *testing.T) *net.Resolver {
			return serveDNS(t, func(_ dnsmessage.Question, m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError })
		}, `the name "gateway.test" of the backend does not exist`},
		{"silent", func(t *testing.T) *net.Resolver { return serveDNS(t, nil) }, "the name server does not answer"},
		{"failing", func(t *testing.T) *net.Resolver {
			return serveDNS(t, func(_ dnsmessage.Question, m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeServerFailure })
		}, "the name server can't be reached, or fails"},
		{"unreachable", func(*testing.T) *net.Resolver { return unreachable }, "the name server can't be reached, or fails"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(string) string { return "gateway.test:8443" }, func(o *uplink.Options) { patient(o); o.Resolver = c.resolver(t) })
			begun := time.Now()
			b.run()
			s := b.failed()
			if s.GetStage() != atDNS || !strings.Contains(s.GetLastError(), c.problem) || s.GetHint() == "" {
				t.Errorf("at %v: %s\nhint: %s", s.GetStage(), s.GetLastError(), s.GetHint())
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A name with addresses of both families is reached by the one that works, whichever that is.
func TestBothFamilies(t *testing.T) {
	for _, c := range []struct {
		name string
		ipv6 [16]byte
		ipv4 [4]byte
	}{
		{"IPv4 works", [16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: 1}, [4]byte{127, 0, 0, 1}}, // 2001:db8::1 is nobody's
		{"the mapped one works", [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}, [4]byte{255, 255, 255, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resolver := serveDNS(t, func(q dnsmessage.Question, m *dnsmessage.Message) {
				header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
				switch q.Type {
				case dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: c.ipv4}})
				case dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: c.ipv6}})
				}
			})
			b := newBench(t, func(certs string) string {
				_, port, err := net.SplitHostPort(serveScript(t, honest)(certs))
				if err != nil {
					t.Fatal(err)
				}
				return "gateway.test:" + port
			}, func(o *uplink.Options) { o.Resolver = resolver })
			b.add(3)
			b.run()
			flushed(t, b)
		})
	}
}
