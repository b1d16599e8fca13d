package uplink_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// A backend that contradicts the queue is not believed, and nothing leaves the queue.
func TestLyingBackend(t *testing.T) {
	afterBatch := func(answer func(l link, b *wire.Batch) error) func(link) error {
		return func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			for {
				m, err := l.Recv()
				if err != nil {
					return err
				}
				if err := answer(l, m.GetBatch()); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		script func(link) error
		alarm  wire.AuditKind
		reason string
	}{
		{"acks what was never sent", afterBatch(func(l link, b *wire.Batch) error {
			return sendAck(l, &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: 1000, Chain: make([]byte, 8)})
		}), wire.AuditKind_AUDIT_KIND_FALSE_ACK, "never sent"},
		{"acks a lane that is not there", afterBatch(func(l link, b *wire.Batch) error {
			return sendAck(l, &wire.Ack{LaneIndex: 9, Through: 1})
		}), 0, "never sent"},
		{"refuses what it does not ack", afterBatch(func(l link, b *wire.Batch) error {
			return sendAck(l, &wire.Ack{Through: 2, Chain: b.GetChain(), Rejects: []*wire.Reject{{Seq: 3, Reason: wire.RejectReason_REJECT_REASON_MALFORMED}}})
		}), wire.AuditKind_AUDIT_KIND_FALSE_ACK, "refuses 3, between 1 and 2"},
		{"refuses record 0", afterBatch(func(l link, b *wire.Batch) error {
			return sendAck(l, &wire.Ack{Through: 3, Chain: b.GetChain(), Rejects: []*wire.Reject{{Seq: 0, Reason: wire.RejectReason_REJECT_REASON_MALFORMED}}})
		}), wire.AuditKind_AUDIT_KIND_FALSE_ACK, "refuses 0, between 1 and 3"},
		{"welcomes beyond the end", func(l link) error {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			w := &wire.Welcome{}
			for range m.GetHello().GetLanes() {
				w.Watermarks = append(w.Watermarks, &wire.Watermark{Through: 77})
			}
			return l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}})
		}, wire.AuditKind_AUDIT_KIND_FALSE_ACK, "do not exist"},
		{"welcomes too few lanes", func(l link) error {
			if _, err := l.Recv(); err != nil {
				return err
			}
			return l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: &wire.Welcome{}}})
		}, 0, "welcome"},
		{"acks instead of welcoming", func(l link) error {
			if _, err := l.Recv(); err != nil {
				return err
			}
			return sendAck(l, &wire.Ack{Through: 1})
		}, 0, "welcome"},
		{"refuses", func(link) error { return status.Error(codes.PermissionDenied, "terminal is on the deny list") }, 0, "deny list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, serveScript(t, c.script), nil)
			b.add(3)
			b.run()
			eventually(t, "the reason", func() bool { return strings.Contains(b.client.Status().GetLastError(), c.reason) })
			if c.alarm != 0 {
				eventually(t, "the alarm", func() bool { return b.alarmed(c.alarm) })
			}
			if s := b.queue.Lanes()[0]; s.Acked != 0 || s.Depth() != 3 {
				t.Errorf("the queue believed it: %+v", s)
			}
		})
	}
}

// A backend that packs, and so may leave the chain out of an ack, is not let off for good.
func TestBackendThatNeverTellsItsChain(t *testing.T) {
	b := newBench(t, serveScript(t, func(l link) error {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		w := &wire.Welcome{Packing: 1}
		for range m.GetHello().GetLanes() {
			w.Watermarks = append(w.Watermarks, &wire.Watermark{})
		}
		if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
			return err
		}
		for {
			m, err := l.Recv()
			if err != nil {
				return err
			}
			if err := sendAck(l, &wire.Ack{Through: m.GetBatch().GetFirstSeq()}); err != nil { // a batch is one record
				return err
			}
		}
	}), func(o *uplink.Options) { o.BatchBytes = 1 })
	b.run()
	for i := range 15 {
		if b.alarmed(wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH) {
			t.Fatalf("it is alarmed after %d acks", i)
		}
		b.add(1)
		flushed(t, b)
	}
	b.add(1)
	eventually(t, "the alarm", func() bool { return b.alarmed(wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH) })
	if l := b.queue.Lanes()[0]; l.Depth() == 0 {
		t.Errorf("the queue believed it: %+v", l)
	}
}
