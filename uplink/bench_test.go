package uplink_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/gateway"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// pair is a terminal's queue and client, and the reference gateway on loopback with its log.
type pair struct {
	queue  *buffer.Queue
	client *uplink.Client
}

func newPair(b *testing.B) *pair {
	b.Helper()
	certs := b.TempDir()
	authority := filepath.Join(certs, "ca")
	must(b, ca.Init(authority))
	must(b, ca.IssueServer(authority, []string{"localhost"}, certs))
	must(b, ca.IssueTerminal(authority, identity.ID{Merchant: "m-1", Terminal: "t-1"}, certs))

	log, err := eventlog.Open(filepath.Join(b.TempDir(), "log.db"))
	must(b, err)
	b.Cleanup(func() { _ = log.Close() })
	config, err := gateway.LoadTLS(filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"), filepath.Join(certs, "ca.pem"), zerolog.Nop())
	must(b, err)
	g := gateway.New(gateway.Options{Log: log, Name: "bench", Logger: zerolog.Nop()})
	server := gateway.NewServer(g, gateway.NewCredentials(config, zerolog.Nop()))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { g.Stop(); server.Stop() })

	keys, err := pci.NewSealer([32]byte{1})
	must(b, err)
	p := &pair{}
	p.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(b.TempDir(), "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 1 << 30, LedgerReserve: 1 << 20,
		TelemetryMemory: 4 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	must(b, err)
	b.Cleanup(func() { _ = p.queue.Close() })
	p.client = uplink.New(uplink.Options{
		Queue: p.queue, Backend: listener.Addr().String(), Identity: identity.ID{Merchant: "m-1", Terminal: "t-1"}, AgentVersion: "bench", Clock: hal.NewClock("/proc"),
		TLS: uplink.Files{
			Cert: filepath.Join(certs, "terminal.pem"), Key: filepath.Join(certs, "terminal.key"),
			CA: filepath.Join(certs, "ca.pem"), ServerName: "localhost",
		},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: time.Second,
		StallAfter: time.Minute, Keepalive: 5 * time.Minute, Alarm: func(*wire.Audit) {}, Log: zerolog.Nop(),
	})
	return p
}

// drain runs the client until the queue is empty.
func (p *pair) drain(b *testing.B) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.client.Run(ctx) })
	if waiting, complete := p.client.Flush(ctx); !complete {
		b.Fatalf("%d records are waiting: %v", waiting, p.client.Status())
	}
	cancel()
	wg.Wait()
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func benchPayment(b *testing.B, g *pci.Guard, i int) pci.Clean {
	b.Helper()
	c, err := g.Check(&wire.Event{
		Clock: &wire.Clock{WallUnixMs: new(int64(1_790_000_000_000) + int64(i)), BootMs: new(int64(i)), BootId: make([]byte, 16)},
		Body: &wire.Event_Payment{Payment: &wire.Payment{
			IdempotencyKey: fmt.Sprint("order-", i), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
			AuthMode: wire.AuthMode_AUTH_MODE_ONLINE, AmountMinor: int64(i), Currency: "EUR",
			Card: &wire.PaymentCard{Brand: "visa", Last4: "4242"},
		}},
	})
	must(b, err)
	return c
}

// BenchmarkDrainLedger empties a queue of payments over mutual TLS into the reference log, both on this machine.
func BenchmarkDrainLedger(b *testing.B) {
	p := newPair(b)
	g := pci.NewGuard(nil)
	for i := 0; i < b.N; {
		must(b, p.queue.Update(b.Context(), func(tx *buffer.Tx) error {
			for range min(1000, b.N-i) {
				tx.Append(benchPayment(b, g, i))
				i++
			}
			return nil
		}))
	}
	b.ResetTimer()
	p.drain(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	report(b, p, b.N)
}

// BenchmarkDrainTelemetry empties a queue of readings, 100 a block, likewise.
func BenchmarkDrainTelemetry(b *testing.B) {
	p := newPair(b)
	g := pci.NewGuard(block.Encode)
	terminal := blocktest.New(blocktest.Options{Jitter: blocktest.Jitter})
	var readings []pci.Clean
	flush := func() {
		c, err := g.Pack(readings)
		must(b, err)
		_, err = p.queue.AppendTelemetry(c)
		must(b, err)
		readings = readings[:0]
	}
	var round []*wire.Event
	for range b.N {
		if len(round) == 0 {
			round = terminal.Round()
		}
		c, err := g.Check(round[0])
		must(b, err)
		round = round[1:]
		if readings = append(readings, c); len(readings) == 100 {
			flush()
		}
	}
	if len(readings) > 0 {
		flush()
	}
	b.ResetTimer()
	p.drain(b)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	report(b, p, b.N)
}

// BenchmarkLoneEvent sends one payment at a time over a stream that is held open, each acknowledged before the next.
// The bytes are TLS records, without TCP and IP.
func BenchmarkLoneEvent(b *testing.B) {
	p := newPair(b)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.client.Run(ctx) })
	for !p.client.Online() {
		time.Sleep(time.Millisecond)
	}
	g := pci.NewGuard(nil)
	before := p.client.Status()
	for i := 0; b.Loop(); i++ {
		c := benchPayment(b, g, i)
		must(b, p.queue.Update(ctx, func(tx *buffer.Tx) error { tx.Append(c); return nil }))
		p.client.Flush(ctx)
	}
	after := p.client.Status()
	cancel()
	wg.Wait()
	b.ReportMetric(float64(after.GetSentBytes()-before.GetSentBytes())/float64(b.N), "B-up/op")
	b.ReportMetric(float64(after.GetReceivedBytes()-before.GetReceivedBytes())/float64(b.N), "B-down/op")
	b.ReportMetric(loneBudget-3*segmentHeaders, "B-budget")
}

// BenchmarkReconnect opens a stream with nothing to send: TLS, Hello, Welcome and the end. The first one shakes hands in
// full, the others resume.
func BenchmarkReconnect(b *testing.B) {
	p := newPair(b)
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		var wg sync.WaitGroup
		before := p.client.Status().GetConnects()
		wg.Go(func() { _ = p.client.Run(ctx) })
		for p.client.Status().GetConnects() == before {
			time.Sleep(100 * time.Microsecond)
		}
		cancel()
		wg.Wait()
	}
	report(b, p, b.N)
	b.ReportMetric(reconnectBudget, "B-budget")
}

func report(b *testing.B, p *pair, n int) {
	s := p.client.Status()
	b.ReportMetric(float64(s.GetSentBytes())/float64(n), "B-up/op")
	b.ReportMetric(float64(s.GetReceivedBytes())/float64(n), "B-down/op")
}
