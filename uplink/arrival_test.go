package uplink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/gateway"
	"github.com/stampd/stampd/uplink/wire"
)

// serveGateway starts the reference gateway with a log of its own.
func serveGateway(t testing.TB, certs string) (address string, log *eventlog.Log) {
	t.Helper()
	return serveGatewayOn(t, certs, func(l net.Listener) net.Listener { return l })
}

// serveGatewayOn does so on what wrap makes of its listener.
func serveGatewayOn(t testing.TB, certs string, wrap func(net.Listener) net.Listener) (address string, log *eventlog.Log) {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	config, err := gateway.LoadTLS(filepath.Join(certs, "server.pem"), filepath.Join(certs, "server.key"), filepath.Join(certs, "ca.pem"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	g := gateway.New(gateway.Options{Log: log, Name: "middle", Logger: zerolog.Nop()})
	server := gateway.NewServer(g, gateway.NewCredentials(config, zerolog.Nop()))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	known := gateway.NewListener(wrap(l))
	go func() { _ = server.Serve(known) }()
	t.Cleanup(func() { g.Stop(); known.CloseConns(); server.Stop() })
	return l.Addr().String(), log
}

// addNumbered appends the i-th payment, and a block with the i-th reading.
func (b *bench) addNumbered(i int) {
	b.t.Helper()
	guard := pci.NewGuard(nil)
	c, err := guard.Check(&wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{
		IdempotencyKey: fmt.Sprint("order-", i), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: 1, Currency: "EUR",
	}}})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.queue.Update(b.t.Context(), func(tx *buffer.Tx) error { tx.Append(c); return nil }); err != nil {
		b.t.Fatal(err)
	}
	event, err := proto.Marshal(&wire.Event{Body: &wire.Event_Battery{Battery: &wire.Battery{Name: fmt.Sprint("battery-", i)}}})
	if err != nil {
		b.t.Fatal(err)
	}
	if c, err = guard.Check(&wire.TelemetryBlock{Events: [][]byte{event}}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.queue.AppendTelemetry(c); err != nil {
		b.t.Fatal(err)
	}
}

// checkLog holds the log to having the first n payments and readings, each once and in order.
func checkLog(t *testing.T, log *eventlog.Log, n int) {
	t.Helper()
	next := map[wire.Lane]int{}
	take := func(lane wire.Lane, raw []byte, name func(*wire.Event) string, want string) error {
		var e wire.Event
		if err := proto.Unmarshal(raw, &e); err != nil {
			return err
		}
		if got := name(&e); got != fmt.Sprint(want, next[lane]) {
			return fmt.Errorf("%v has %s where %s%d should be", lane, got, want, next[lane])
		}
		next[lane]++
		return nil
	}
	err := log.Read(t.Context(), 1, log.Head(), func(_ uint64, e *eventlog.Entry) error {
		if len(e.Rejected) > 0 || len(e.Lost) > 0 {
			return fmt.Errorf("%d rejected, %d ranges lost", len(e.Rejected), len(e.Lost))
		}
		for _, record := range e.Records {
			lane := wire.Lane(e.Lane)
			if lane == wire.Lane_LANE_LEDGER {
				if err := take(lane, record, func(e *wire.Event) string { return e.GetPayment().GetIdempotencyKey() }, "order-"); err != nil {
					return err
				}
				continue
			}
			var block wire.TelemetryBlock
			if err := proto.Unmarshal(record, &block); err != nil {
				return err
			}
			for _, event := range block.Events {
				if err := take(lane, event, func(e *wire.Event) string { return e.GetBattery().GetName() }, "battery-"); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if next[wire.Lane_LANE_LEDGER] != n || next[wire.Lane_LANE_TELEMETRY] != n {
		t.Errorf("%d payments and %d readings arrived, want %d of each", next[wire.Lane_LANE_LEDGER], next[wire.Lane_LANE_TELEMETRY], n)
	}
}

// TestManInTheMiddle sends payments and readings through somebody who does his worst, round after round, and counts what
// the reference log has at the end: everything once, in order. STAMPD_SEED repeats what he chooses.
func TestManInTheMiddle(t *testing.T) {
	const rounds, perRound = 60, 5
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("STAMPD_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("STAMPD_SEED=%d", seed)
	m := &middle{rng: rand.New(rand.NewPCG(seed, 0)), open: map[net.Conn]bool{}}
	var log *eventlog.Log
	b := newBench(t, func(certs string) string {
		m.to, log = serveGateway(t, certs)
		return m.serve(t)
	}, func(o *uplink.Options) { o.StallAfter, o.BatchBytes = 100*time.Millisecond, 200 })
	b.run()
	for round := range rounds {
		for i := range perRound {
			b.addNumbered(round*perRound + i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		b.client.Flush(ctx)
		cancel()
		m.cutAll()
	}
	m.mu.Lock()
	m.honest = true
	m.mu.Unlock()
	m.cutAll()
	flushed(t, b)
	checkLog(t, log, rounds*perRound)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.alarms) > 0 {
		t.Errorf("alarms: %v", b.alarms)
	}
	t.Logf("%v mischiefs, %d streams", m.done, b.client.Status().GetConnects())
	if n := b.client.Status().GetConnects(); n < rounds/4 {
		t.Errorf("it connected %d times only in %d rounds", n, rounds)
	}
}
