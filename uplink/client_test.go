package uplink_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

// eventually waits for something that happens on other goroutines.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 15*time.Second {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func flushed(t *testing.T, b *bench) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if waiting, complete := b.client.Flush(ctx); !complete {
		t.Fatalf("%d records are still waiting; the uplink says %v", waiting, b.client.Status())
	}
}

// honest stores nothing and acknowledges everything, as a backend should.
func honest(l link) error {
	h, err := hello(l)
	if err != nil {
		return err
	}
	var c chain
	for {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		b := m.GetBatch()
		a := &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1}
		if h.GetLanes()[b.GetLaneIndex()].GetLane() == wire.Lane_LANE_LEDGER {
			a.Chain = c.take(b.GetFirstSeq(), b.GetRecords())
		}
		if err := sendAck(l, a); err != nil {
			return err
		}
	}
}

func TestEverythingArrivesAndNothingAlarms(t *testing.T) {
	b := newBench(t, serveScript(t, honest), nil)
	b.add(200)
	for range 50 {
		c, err := pci.NewGuard(nil).Check(&wire.TelemetryBlock{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.queue.AppendTelemetry(c); err != nil {
			t.Fatal(err)
		}
	}
	b.run()
	flushed(t, b)
	if len(b.alarms) != 0 {
		t.Errorf("alarms: %v", b.alarms)
	}
	s := b.client.Status()
	if s.GetState() != wire.UplinkState_UPLINK_STATE_ONLINE || s.SinceAckMs == nil || s.GetSentBytes() == 0 || !b.client.Online() {
		t.Errorf("status is %v", s)
	}
}

func TestLedgerGoesBeforeTelemetry(t *testing.T) {
	var mu sync.Mutex
	var order []wire.Lane
	b := newBench(t, serveScript(t, func(l link) error {
		h, err := hello(l)
		if err != nil {
			return err
		}
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			mu.Lock()
			order = append(order, h.GetLanes()[m.GetBatch().GetLaneIndex()].GetLane())
			mu.Unlock()
		}
	}), nil)
	c, err := pci.NewGuard(nil).Check(&wire.TelemetryBlock{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := b.queue.AppendTelemetry(c); err != nil {
			t.Fatal(err)
		}
	}
	b.add(10)
	b.run()
	eventually(t, "both lanes to be sent", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) >= 2 })
	if order[0] != wire.Lane_LANE_LEDGER {
		t.Errorf("first came %v", order[0])
	}
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	var received atomic.Int64
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := hello(l); err != nil {
			return err
		}
		for {
			if _, err := l.Recv(); err != nil {
				return err
			}
			received.Add(1)
		}
	}), func(o *uplink.Options) { o.Window, o.BatchBytes = 3, 1 })
	b.add(20)
	b.run()
	eventually(t, "three batches", func() bool { return received.Load() == 3 })
	time.Sleep(50 * time.Millisecond)
	if n := received.Load(); n != 3 {
		t.Errorf("%d batches are in flight, want 3", n)
	}
}

func TestOtherChainIsAnAlarmAndNotALoss(t *testing.T) {
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := hello(l); err != nil {
			return err
		}
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			last := m.GetBatch().GetFirstSeq() + uint64(len(m.GetBatch().GetRecords())) - 1
			if err := sendAck(l, &wire.Ack{Through: last, Chain: []byte("otherone")}); err != nil {
				return err
			}
		}
	}), nil)
	b.add(3)
	b.run()
	eventually(t, "the alarm", func() bool { return b.alarmed(wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH) })
	if l := b.queue.Lanes()[0]; l.Acked != 0 || l.Depth() != 3 {
		t.Errorf("the queue believed it: %+v", l)
	}
}

// A welcome that can't show the chain of what it claims to have takes nothing out of the queue.
func TestWelcomeWithoutProofIsNotBelieved(t *testing.T) {
	for name, mark := range map[string]*wire.Watermark{
		"no chain":           {Through: 3},
		"another chain":      {Through: 3, Chain: []byte("LIARLIAR")},
		"far beyond the end": {Through: 1 << 63},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, serveScript(t, func(l link) error {
				m, err := l.Recv()
				if err != nil {
					return err
				}
				w := &wire.Welcome{}
				for _, lane := range m.GetHello().GetLanes() {
					w.Watermarks = append(w.Watermarks, &wire.Watermark{})
					if lane.GetNext() == 4 {
						w.Watermarks[len(w.Watermarks)-1] = mark
					}
				}
				if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
					return err
				}
				_, err = l.Recv()
				return err
			}), nil)
			b.add(3)
			kind := wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH
			if mark.GetThrough() > 3 {
				kind = wire.AuditKind_AUDIT_KIND_FALSE_ACK
			}
			b.run()
			eventually(t, "the alarm", func() bool { return b.alarmed(kind) })
			if l := b.queue.Lanes()[0]; l.Acked != 0 || l.Depth() < 3 {
				t.Errorf("the queue believed it: %+v", l)
			}
		})
	}
}

func TestRefusedRecordIsQuarantined(t *testing.T) {
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := hello(l); err != nil {
			return err
		}
		var c chain
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			b := m.GetBatch()
			a := &wire.Ack{Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1, Chain: c.take(b.GetFirstSeq(), b.GetRecords())}
			a.Rejects = []*wire.Reject{{Seq: 2, Reason: wire.RejectReason_REJECT_REASON_MALFORMED}}
			if err := sendAck(l, a); err != nil {
				return err
			}
		}
	}), nil)
	b.add(3)
	b.run()
	flushed(t, b)
	if n := b.queue.Stats().Quarantined; n != 1 {
		t.Errorf("%d records in quarantine, want 1", n)
	}
}

func TestResendsWhatABrokenStreamLeftUnacknowledged(t *testing.T) {
	var streams atomic.Int64
	b := newBench(t, serveScript(t, func(l link) error {
		if streams.Add(1) < 4 {
			if _, err := hello(l); err != nil {
				return err
			}
			_, _ = l.Recv()
			return status.Error(codes.Unavailable, "going away")
		}
		return honest(l)
	}), nil)
	b.add(5)
	b.run()
	flushed(t, b)
	if s := b.queue.Lanes()[0]; s.Acked != 5 {
		t.Errorf("after the flush: %+v", s)
	}
}

func TestDeclaresTelemetryThatIsGone(t *testing.T) {
	var lost atomic.Pointer[wire.SeqRange]
	b := newBench(t, serveScript(t, func(l link) error {
		h, err := hello(l)
		if err != nil {
			return err
		}
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			batch := m.GetBatch()
			if len(batch.GetLost()) > 0 {
				lost.Store(batch.GetLost()[0])
			}
			if h.GetLanes()[batch.GetLaneIndex()].GetLane() == wire.Lane_LANE_TELEMETRY {
				if err := sendAck(l, &wire.Ack{LaneIndex: batch.GetLaneIndex(), Through: batch.GetFirstSeq() + uint64(len(batch.GetRecords())) - 1}); err != nil {
					return err
				}
			}
		}
	}), nil)
	c, err := pci.NewGuard(nil).Check(&wire.TelemetryBlock{})
	if err != nil {
		t.Fatal(err)
	}
	var id buffer.LaneID
	for range 10 {
		if _, err := b.queue.AppendTelemetry(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range b.queue.Lanes() {
		if l.Lane == buffer.Telemetry {
			id = l.LaneID
		}
	}
	// As if the backend had taken four and then forgotten: to it, they are lost.
	if err := b.queue.Ack(t.Context(), id, 4, nil); err != nil {
		t.Fatal(err)
	}
	b.run()
	flushed(t, b)
	if l := lost.Load(); l.GetFrom() != 1 || l.GetTo() != 4 {
		t.Errorf("declared %v, want 1 to 4", l)
	}
}

// A backend that was restored from an old copy gets again what the terminal still has, and is told what is gone.
func TestBackendThatForgotIsSentWhatIsLeft(t *testing.T) {
	var got atomic.Pointer[wire.Batch]
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := hello(l); err != nil {
			return err
		}
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			batch := m.GetBatch()
			got.CompareAndSwap(nil, batch)
			last := batch.GetFirstSeq() + uint64(len(batch.GetRecords())) - 1
			if err := sendAck(l, &wire.Ack{LaneIndex: batch.GetLaneIndex(), Through: last, Chain: batch.GetChain()}); err != nil {
				return err
			}
		}
	}), nil)
	b.add(7)
	id := b.queue.Lanes()[0].LaneID
	if err := b.queue.Ack(t.Context(), id, 5, nil); err != nil {
		t.Fatal(err)
	}
	b.run()
	flushed(t, b)
	// How much of what was acknowledged is left is the queue's business; what is gone of it must be declared.
	batch := got.Load()
	first := batch.GetFirstSeq()
	if first > 6 || len(batch.GetRecords()) != int(8-first) {
		t.Errorf("sent %d records from %d, want all to 7, from 6 at the latest", len(batch.GetRecords()), first)
	}
	if lost := batch.GetLost(); first > 1 && (len(lost) != 1 || lost[0].GetFrom() != 1 || lost[0].GetTo() != first-1) || first == 1 && len(lost) > 0 {
		t.Errorf("declared %v before %d", lost, first)
	}
	if !b.alarmed(wire.AuditKind_AUDIT_KIND_BACKEND_FORGOT) {
		t.Error("nobody was told")
	}
}

func TestCertificateIsReadAgainAndMustBeTheTerminals(t *testing.T) {
	b := newBench(t, serveScript(t, honest), nil)
	b.add(1)
	other := t.TempDir()
	if err := ca.IssueTerminal(b.file("ca"), identity.ID{Merchant: "m-1", Terminal: "t-2"}, other); err != nil {
		t.Fatal(err)
	}
	mine := map[string][]byte{}
	for _, name := range []string{"terminal.pem", "terminal.key"} {
		mine[name] = read(t, b.file(name))
		write(t, b.file(name), read(t, other+"/"+name))
	}
	b.run()
	eventually(t, "the reason", func() bool { return strings.Contains(b.client.Status().GetLastError(), "t-2") })
	if err := os.Remove(b.file("terminal.pem")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reason", func() bool { return strings.Contains(b.client.Status().GetLastError(), "cannot read") })
	for name, contents := range mine {
		write(t, b.file(name), contents)
	}
	flushed(t, b)
}

func TestCertificateOfAnotherMerchantIsNotUsed(t *testing.T) {
	b := newBench(t, serveScript(t, honest), func(o *uplink.Options) { o.Identity.Merchant = "m-2" })
	b.run()
	eventually(t, "the reason", func() bool { return strings.Contains(b.client.Status().GetLastError(), "m-2") })
}

func TestWithoutBackendNothingHappens(t *testing.T) {
	b := newBench(t, func(string) string { return "" }, nil)
	b.add(1)
	b.run()
	if s := b.client.Status().GetState(); s != wire.UplinkState_UPLINK_STATE_DISABLED {
		t.Errorf("state is %v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if waiting, complete := b.client.Flush(ctx); complete || waiting != 1 {
		t.Errorf("flush says %d waiting, complete %v", waiting, complete)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
