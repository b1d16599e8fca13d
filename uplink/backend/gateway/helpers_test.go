package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a gateway on a loopback address, with its log and its authority.
type backend struct {
	t       *testing.T
	ca      string
	addr    string
	log     *eventlog.Log
	gateway *Gateway
	deny    *deny.List
	out     *logBuffer
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(s))
}

// await waits until a line with s was written.
func (l *logBuffer) await(t *testing.T, s string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !l.contains(s); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q", s)
		}
	}
}

func start(t *testing.T) *backend {
	t.Helper()
	b := &backend{t: t, ca: filepath.Join(t.TempDir(), "ca"), out: &logBuffer{}}
	for _, err := range []error{ca.Init(b.ca), ca.IssueServer(b.ca, []string{"127.0.0.1"}, b.ca)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if b.log, err = eventlog.Open(filepath.Join(t.TempDir(), "log.db")); err != nil {
		t.Fatal(err)
	}
	logger := zerolog.New(b.out)
	cfg, err := LoadTLS(filepath.Join(b.ca, ca.ServerCertFile), filepath.Join(b.ca, ca.ServerKeyFile), filepath.Join(b.ca, ca.CertFile), logger)
	if err != nil {
		t.Fatal(err)
	}
	if b.deny, err = deny.Open(filepath.Join(t.TempDir(), "deny")); err != nil {
		t.Fatal(err)
	}
	cfg.VerifyConnection = b.deny.VerifyConnection
	b.gateway = New(Options{Log: b.log, Name: "g1", Logger: logger, Deny: b.deny})
	server := NewServer(b.gateway, NewCredentials(cfg, logger))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		b.gateway.Stop()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
		b.log.Close()
	})
	return b
}

// issue makes a terminal's certificate with the authority in dir.
func issue(t *testing.T, dir, merchant, terminal string) *tls.Certificate {
	t.Helper()
	out := t.TempDir()
	if err := ca.IssueTerminal(dir, identity.ID{Merchant: merchant, Terminal: terminal}, out); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, ca.TerminalCertFile), filepath.Join(out, ca.TerminalKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

// clientTLS returns the settings of a client, with no certificate when cert is nil.
func (b *backend) clientTLS(cert *tls.Certificate) *tls.Config {
	text, err := os.ReadFile(filepath.Join(b.ca, ca.CertFile))
	if err != nil {
		b.t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AppendCertsFromPEM(text)
	if cert != nil {
		cfg.Certificates = []tls.Certificate{*cert}
	}
	return cfg
}

// terminal is a client with one stream.
type terminal struct {
	t      *testing.T
	stream wire.UplinkService_StreamClient
	again  func() // opens another stream on the same connection
	close  func()
}

func (b *backend) dial(cfg *tls.Config) *terminal {
	b.t.Helper()
	conn, err := grpc.NewClient(b.addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	term := &terminal{t: b.t, stream: stream, close: sync.OnceFunc(func() { cancel(); conn.Close() })}
	b.t.Cleanup(term.close)
	if err != nil {
		term.stream = failed{err: err}
	}
	term.again = func() {
		if term.stream, err = wire.NewUplinkServiceClient(conn).Stream(ctx); err != nil {
			b.t.Fatal(err)
		}
	}
	return term
}

// failed is a stream that could not be opened.
type failed struct {
	wire.UplinkService_StreamClient
	err error
}

func (f failed) Send(*wire.ToBackend) error      { return f.err }
func (f failed) Recv() (*wire.ToTerminal, error) { return nil, f.err }

func (b *backend) connect(merchant, name string) *terminal {
	b.t.Helper()
	return b.dial(b.clientTLS(issue(b.t, b.ca, merchant, name)))
}

// greeting returns a good Hello with a ledger and a telemetry lane.
func greeting(name string) *wire.Hello {
	epoch := make([]byte, 16)
	return &wire.Hello{
		TerminalId:   name,
		AgentVersion: "1.0",
		Lanes: []*wire.LaneState{
			{Lane: wire.Lane_LANE_LEDGER, Epoch: epoch, Oldest: 1, Next: 1},
			{Lane: wire.Lane_LANE_TELEMETRY, Epoch: epoch, Oldest: 1, Next: 1},
		},
	}
}

func (m *terminal) hello(h *wire.Hello) {
	_ = m.stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: h}})
}

func (m *terminal) send(b *wire.Batch) {
	_ = m.stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Batch{Batch: b}})
}

func (m *terminal) welcome() *wire.Welcome {
	m.t.Helper()
	answer, err := m.stream.Recv()
	if err != nil || answer.GetWelcome() == nil {
		m.t.Fatalf("received %v, %v; want Welcome", answer, err)
	}
	return answer.GetWelcome()
}

func (m *terminal) ack() *wire.Ack {
	m.t.Helper()
	answer, err := m.stream.Recv()
	if err != nil || answer.GetAck() == nil {
		m.t.Fatalf("received %v, %v; want Ack", answer, err)
	}
	return answer.GetAck()
}

// refused waits for the end of the stream and checks its code.
func (m *terminal) refused(want codes.Code) {
	m.t.Helper()
	for {
		answer, err := m.stream.Recv()
		if err == nil {
			if answer.GetWelcome() == nil {
				m.t.Errorf("received %v before the refusal", answer)
			}
			continue
		}
		if status.Code(err) != want || status.Convert(err).Message() == "" {
			m.t.Errorf("stream ended with %v, want %v and a reason", err, want)
		}
		return
	}
}

// readings returns a telemetry batch of n records of one event each.
func readings(t *testing.T, first uint64, n int) *wire.Batch {
	t.Helper()
	event, err := proto.Marshal(&wire.Event{Body: &wire.Event_Host{Host: &wire.Host{Processes: proto.Uint32(7)}}})
	if err != nil {
		t.Fatal(err)
	}
	record, err := proto.Marshal(&wire.TelemetryBlock{Events: [][]byte{event}})
	if err != nil {
		t.Fatal(err)
	}
	b := &wire.Batch{LaneIndex: 1, FirstSeq: first}
	for range n {
		b.Records = append(b.Records, record)
	}
	return b
}
