package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
)

// ends is a gateway's TLS settings and those of a terminal that may resume.
type ends struct {
	authority, certs string
	server, client   *tls.Config
}

func newEnds(t *testing.T) *ends {
	t.Helper()
	dir := t.TempDir()
	e := &ends{authority: filepath.Join(dir, "ca"), certs: filepath.Join(dir, "certs")}
	for _, err := range []error{
		ca.Init(e.authority),
		ca.IssueServer(e.authority, []string{"localhost"}, e.certs),
		ca.IssueTerminal(e.authority, identity.ID{Merchant: "m-1", Terminal: "t-1"}, e.certs),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if e.server, err = LoadTLS(e.file("server.pem"), e.file("server.key"), e.file("ca.pem"), zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(e.file("terminal.pem"), e.file("terminal.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(e.file("ca.pem"))
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	e.client = &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "localhost",
		ClientSessionCache: tls.NewLRUClientSessionCache(1), CurvePreferences: identity.Curves(),
	}
	return e
}

func (e *ends) file(name string) string { return filepath.Join(e.certs, name) }

// shake shakes hands once, lets the terminal take its ticket, and returns what the gateway knows then.
func (e *ends) shake(t *testing.T) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := tls.Dial("tcp", l.Addr().String(), e.client)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 1)) // the ticket is before what is read
	}()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Server(raw, e.server)
	err = conn.Handshake()
	if err == nil {
		_, _ = conn.Write([]byte{1})
		<-done
	}
	return conn.ConnectionState(), err
}

func TestResumedSession(t *testing.T) {
	e := newEnds(t)
	for i := range 4 {
		state, err := e.shake(t)
		if err != nil {
			t.Fatal(err)
		}
		if state.DidResume != (i > 0) {
			t.Errorf("handshake %d: resumed %v", i, state.DidResume)
		}
		if len(state.VerifiedChains) == 0 {
			t.Fatalf("handshake %d: nobody is verified", i)
		}
		if id, err := identity.FromCertificate(state.VerifiedChains[0][0]); err != nil || id.Terminal != "t-1" {
			t.Errorf("handshake %d: it is %v, %v", i, id, err)
		}
	}
}

// What would refuse a terminal in a full handshake refuses it when it resumes.
func TestResumedSessionIsJudgedAgain(t *testing.T) {
	denied := errors.New("denied")
	for name, turn := range map[string]func(t *testing.T, e *ends){
		"denied meanwhile": func(_ *testing.T, e *ends) {
			e.server.VerifyConnection = func(tls.ConnectionState) error { return denied }
		},
		"another authority meanwhile": func(t *testing.T, e *ends) {
			other := filepath.Join(t.TempDir(), "ca")
			if err := ca.Init(other); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(other, "ca.pem"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(e.file("ca.pem"), text, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnds(t)
			if _, err := e.shake(t); err != nil {
				t.Fatal(err)
			}
			turn(t, e)
			if state, err := e.shake(t); err == nil {
				t.Errorf("it is let in, resumed %v", state.DidResume)
			}
		})
	}
}

// A gateway that has started again knows no tickets, and shakes hands in full.
func TestTicketOfAnotherGateway(t *testing.T) {
	e := newEnds(t)
	if _, err := e.shake(t); err != nil {
		t.Fatal(err)
	}
	var err error
	if e.server, err = LoadTLS(e.file("server.pem"), e.file("server.key"), e.file("ca.pem"), zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	if state, err := e.shake(t); err != nil || state.DidResume {
		t.Errorf("resumed %v, %v", state.DidResume, err)
	}
}

// The table is bounded: two tickets for a terminal, and so many in all, the newest ones.
func TestTicketsAreBounded(t *testing.T) {
	e := newEnds(t)
	var session *tls.SessionState
	keep := newTickets()
	e.server.WrapSession = func(conn tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		session = s
		return keep.wrap(conn, s)
	}
	if _, err := e.shake(t); err != nil {
		t.Fatal(err)
	}
	of := func(terminal int) tls.ConnectionState {
		raw := binary.BigEndian.AppendUint32(nil, uint32(terminal))
		return tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: raw}}}
	}
	table := newTickets()
	var issued [][]byte
	issue := func(terminal int) {
		label, err := table.wrap(of(terminal), session)
		if err != nil || len(label) != ticketSize {
			t.Fatalf("%d bytes, %v", len(label), err)
		}
		issued = append(issued, label)
	}
	known := func(label []byte) bool {
		s, err := table.unwrap(label, tls.ConnectionState{})
		return err == nil && s != nil
	}
	for range 5 {
		issue(0)
	}
	for i, label := range issued {
		if known(label) != (i >= 3) {
			t.Errorf("ticket %d of one terminal: known %v", i, known(label))
		}
	}
	for i := range maxTickets {
		issue(i + 1)
	}
	if table.age.Len() != maxTickets || len(table.known) != maxTickets || len(table.holders) > maxTickets {
		t.Errorf("it keeps %d, %d, %d; want %d", table.age.Len(), len(table.known), len(table.holders), maxTickets)
	}
	if known(issued[4]) || !known(issued[len(issued)-1]) || known([]byte("short")) || known(nil) {
		t.Error("the oldest must be forgotten, and the newest known")
	}
}
