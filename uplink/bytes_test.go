package uplink_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// Budgets, in bytes both ways together. A reconnect includes Hello, Welcome, and a payment with its ack, and so does the
// first contact of an agent, or of any with a backend that has started again; headers of TCP and IP are counted for a lone
// payment only.
const (
	reconnectBudget    = 2000
	firstContactBudget = 2500
	loneBudget         = 300
)

// settled is how long TCP keeps an acknowledgement back for company, and a bit.
const settled = 60 * time.Millisecond

// segmentHeaders is what a TCP segment has beside its payload: IPv4, TCP, and TCP's timestamps.
const segmentHeaders = 20 + 20 + 12

// addSale appends a payment like those of a shop: a UUID for a key, an amount, a card.
func (b *bench) addSale(rng *rand.Rand, clock *wire.Clock) {
	b.t.Helper()
	c, err := pci.NewGuard(nil).Check(&wire.Event{Clock: clock, Body: &wire.Event_Payment{Payment: &wire.Payment{
		IdempotencyKey: fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", rng.Uint32(), rng.IntN(1<<16), rng.IntN(1<<12), rng.IntN(1<<12), rng.Int64N(1<<48)),
		Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AuthMode: wire.AuthMode_AUTH_MODE_ONLINE,
		AmountMinor: rng.Int64N(10_000), Currency: "EUR", Card: &wire.PaymentCard{Brand: "visa", Last4: fmt.Sprintf("%04d", rng.IntN(10_000))},
	}}})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.queue.Update(b.t.Context(), func(tx *buffer.Tx) error { tx.Append(c); return nil }); err != nil {
		b.t.Fatal(err)
	}
}

// moved returns the TLS bytes both ways since before.
func (b *bench) moved(before *wire.UplinkStatus) int {
	now := b.client.Status()
	return int(now.GetSentBytes() + now.GetReceivedBytes() - before.GetSentBytes() - before.GetReceivedBytes())
}

func TestBytesOfAReconnect(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := &middle{honest: true, open: map[net.Conn]bool{}}
	b := newBench(t, func(certs string) string { m.to, _ = serveGateway(t, certs); return m.serve(t) }, nil)
	b.addSale(rng, b.client.Clock.Now())
	start := b.client.Status()
	b.run()
	flushed(t, b)
	if n := b.moved(start); n > firstContactBudget {
		t.Errorf("the first contact takes %d bytes, the budget is %d", n, firstContactBudget)
	} else {
		t.Logf("the first contact takes %d bytes of %d", n, firstContactBudget)
	}
	for range 3 {
		eventually(t, "the terminal to be online", b.client.Online)
		before := b.client.Status()
		m.cutAll()
		eventually(t, "another connection", func() bool { return b.client.Status().GetConnects() > before.GetConnects() })
		b.addSale(rng, b.client.Clock.Now())
		flushed(t, b)
		if n := b.moved(before); n > reconnectBudget {
			t.Errorf("a reconnect takes %d bytes, the budget is %d", n, reconnectBudget)
		} else {
			t.Logf("a reconnect takes %d bytes of %d", n, reconnectBudget)
		}
	}
}

// counted is a listener that keeps its connections, to ask the kernel about them.
type counted struct {
	net.Listener
	conns chan *net.TCPConn
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		c.conns <- tcp
	}
	return conn, err
}

// segments returns how many TCP segments a connection has sent and received, pure acknowledgements included.
func segments(t *testing.T, conn *net.TCPConn) int {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if ctlErr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	return int(info.Segs_in + info.Segs_out)
}

// TestBytesOfALonePayment sends one payment after another over a stream that is held open, each a while after the last,
// and counts TLS bytes and TCP segments.
func TestBytesOfALonePayment(t *testing.T) {
	const payments = 12
	rng := rand.New(rand.NewPCG(1, 1))
	conns := make(chan *net.TCPConn, 10)
	b := newBench(t, func(certs string) string {
		address, _ := serveGatewayOn(t, certs, func(l net.Listener) net.Listener { return &counted{l, conns} })
		return address
	}, func(o *uplink.Options) { o.Keepalive = time.Hour })
	b.run()
	clock := b.client.Clock
	for range 2 { // the first ones have more to say
		b.addSale(rng, clock.Now())
		flushed(t, b)
	}
	conn := <-conns
	time.Sleep(settled)
	tls, tcp := make([]int, payments), make([]int, payments)
	for i := range payments {
		before, segmentsBefore := b.client.Status(), segments(t, conn)
		b.addSale(rng, clock.Now())
		flushed(t, b)
		time.Sleep(settled)
		tls[i], tcp[i] = b.moved(before), segments(t, conn)-segmentsBefore
	}
	// The middle of all: where the machine was busy, TCP's acknowledgement did not wait for the backend's.
	slices.Sort(tls)
	slices.Sort(tcp)
	total := tls[payments/2] + tcp[payments/2]*segmentHeaders
	text := fmt.Sprintf("a payment takes %d bytes: %d to %d of TLS, %d segments", total, tls[0], tls[payments-1], tcp[payments/2])
	if total > loneBudget {
		t.Errorf("%s; the budget is %d", text, loneBudget)
	} else {
		t.Logf("%s; the budget is %d", text, loneBudget)
	}
}
