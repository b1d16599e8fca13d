package uplink_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// link is one accepted stream, as a scripted backend sees it.
type link = grpc.BidiStreamingServer[wire.ToBackend, wire.ToTerminal]

// scripted is a backend that does what a test tells it, over real mutual TLS.
type scripted struct {
	wire.UnimplementedUplinkServiceServer
	script func(link) error
}

func (s *scripted) Stream(l link) error { return s.script(l) }

// bench is a terminal with its certificates, its queue and its client.
type bench struct {
	t      *testing.T
	certs  string
	queue  *buffer.Queue
	client *uplink.Client

	mu     sync.Mutex // guards alarms
	alarms []wire.AuditKind
}

// newBench makes the terminal; serve starts its backend. edit may change the client's options.
func newBench(t *testing.T, serve func(certs string) (address string), edit func(*uplink.Options)) *bench {
	t.Helper()
	b := &bench{t: t, certs: t.TempDir()}
	for _, err := range []error{
		ca.Init(filepath.Join(b.certs, "ca")),
		ca.IssueServer(filepath.Join(b.certs, "ca"), []string{"localhost", "127.0.0.1"}, b.certs),
		ca.IssueTerminal(filepath.Join(b.certs, "ca"), identity.ID{Merchant: "m-1", Terminal: "t-1"}, b.certs),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	b.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(t.TempDir(), "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.queue.Close() })
	options := uplink.Options{
		Queue: b.queue, Backend: serve(b.certs), Identity: identity.ID{Merchant: "m-1", Terminal: "t-1"}, AgentVersion: "test", Clock: hal.NewClock("/proc"),
		TLS:    uplink.Files{Cert: b.file("terminal.pem"), Key: b.file("terminal.key"), CA: b.file("ca.pem"), ServerName: "localhost"},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond,
		StallAfter: 10 * time.Second, Keepalive: time.Minute,
		Alarm: func(a *wire.Audit) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.alarms = append(b.alarms, a.GetKind())
		},
		Log: zerolog.Nop(),
	}
	if edit != nil {
		edit(&options)
	}
	b.client = uplink.New(options)
	return b
}

func (b *bench) file(name string) string { return filepath.Join(b.certs, name) }

// run runs the client until the test ends.
func (b *bench) run() {
	var wg sync.WaitGroup
	ctx, cancel := contextOf(b.t)
	wg.Go(func() { _ = b.client.Run(ctx) })
	b.t.Cleanup(func() { cancel(); wg.Wait() })
}

// serveScript starts a backend that runs script for every stream.
func serveScript(t *testing.T, script func(link) error) func(string) string {
	return func(certs string) string {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"))
		if err != nil {
			t.Fatal(err)
		}
		pem, err := os.ReadFile(filepath.Join(certs, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, CurvePreferences: identity.Curves(),
		})))
		wire.RegisterUplinkServiceServer(server, &scripted{script: script})
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
		return listener.Addr().String()
	}
}

// add appends n ledger records.
func (b *bench) add(n int) {
	b.t.Helper()
	for i := range n {
		c, err := pci.NewGuard(nil).Check(&wire.Event{Body: &wire.Event_Audit{Audit: &wire.Audit{Subject: fmt.Sprint("record ", i)}}})
		if err != nil {
			b.t.Fatal(err)
		}
		if err := b.queue.Update(b.t.Context(), func(tx *buffer.Tx) error { tx.Append(c); return nil }); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) alarmed(kind wire.AuditKind) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.alarms, kind)
}

// hello reads the Hello and welcomes every lane from nothing.
func hello(l link) (*wire.Hello, error) {
	m, err := l.Recv()
	if err != nil {
		return nil, err
	}
	w := &wire.Welcome{ServerUnixMs: time.Now().UnixMilli()}
	for range m.GetHello().GetLanes() {
		w.Watermarks = append(w.Watermarks, &wire.Watermark{})
	}
	return m.GetHello(), l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}})
}

func sendAck(l link, a *wire.Ack) error {
	return l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Ack{Ack: a}})
}

// chain computes a ledger's chain as a backend does.
type chain [32]byte

func (c *chain) take(first uint64, records [][]byte) []byte {
	for i, r := range records {
		*c = sha256.Sum256(append(binary.BigEndian.AppendUint64(c[:], first+uint64(i)), r...))
	}
	return c[:8]
}
