package gateway

import (
	"crypto/tls"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

func TestBatchIsStoredThenAcknowledged(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	w := m.welcome()
	if len(w.Watermarks) != 2 || w.Watermarks[0].Through != 0 || w.Watermarks[0].Chain != nil ||
		time.Since(time.UnixMilli(w.ServerUnixMs)).Abs() > time.Minute {
		t.Errorf("welcome = %v", w)
	}
	m.send(readings(t, 1, 3))
	if ack := m.ack(); ack.Through != 3 || ack.LaneIndex != 1 || ack.Chain != nil {
		t.Errorf("ack = %v", ack)
	}
	var got *eventlog.Entry
	if err := b.log.Read(t.Context(), 1, b.log.Head(), func(_ uint64, e *eventlog.Entry) error { got = e; return nil }); err != nil {
		t.Fatal(err)
	}
	if got.Merchant != "m1" || got.Terminal != "t1" || got.Gateway != "g1" || got.AgentVersion != "1.0" || len(got.Records) != 3 {
		t.Errorf("entry = %v", got)
	}
	event, _ := proto.Marshal(&wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{IdempotencyKey: "k"}}})
	m.send(&wire.Batch{FirstSeq: 1, Records: [][]byte{event}, Chain: make([]byte, 8)})
	ack := m.ack()
	if ack.LaneIndex != 0 || ack.Through != 1 || len(ack.Chain) != 8 {
		t.Errorf("ledger ack = %v", ack)
	}
	m.close()

	again := b.connect("m1", "t1")
	again.hello(greeting("t1"))
	w = again.welcome()
	if w.Watermarks[0].Through != 1 || !slices.Equal(w.Watermarks[0].Chain, ack.Chain) || w.Watermarks[1].Through != 3 || w.Watermarks[1].Chain != nil {
		t.Errorf("welcome after reconnecting = %v", w)
	}
	if !b.out.contains("hash chain differs") {
		t.Error("no alarm for the wrong chain")
	}
}

func TestConnectionsRefused(t *testing.T) {
	b := start(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := ca.Init(other); err != nil {
		t.Fatal(err)
	}
	good := b.clientTLS(issue(t, b.ca, "m1", "t1"))
	old := good.Clone()
	old.MaxVersion = tls.VersionTLS12
	server, err := tls.LoadX509KeyPair(filepath.Join(b.ca, ca.ServerCertFile), filepath.Join(b.ca, ca.ServerKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	foreign := issue(t, other, "m1", "t1")
	force := b.clientTLS(nil)
	force.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return foreign, nil }
	tests := []struct {
		name string
		cfg  *tls.Config
	}{
		{"certificate of another authority", force},
		{"no certificate", b.clientTLS(nil)},
		{"TLS 1.2", old},
		{"the server's own certificate", b.clientTLS(&server)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := b.dial(tt.cfg)
			m.hello(greeting("t1"))
			m.refused(codes.Unavailable)
		})
	}
	if !b.out.contains("connection refused") {
		t.Error("refused handshakes were not logged")
	}
	m := b.dial(good)
	m.hello(greeting("t1"))
	m.welcome()
}

func TestHelloRefused(t *testing.T) {
	b := start(t)
	cert := issue(t, b.ca, "m1", "t1")
	many := greeting("t1")
	for i := range 64 {
		many.Lanes = append(many.Lanes, &wire.LaneState{Lane: 2, Epoch: append(make([]byte, 15), byte(i+1)), Oldest: 1, Next: 1})
	}
	tests := []struct {
		name   string
		change func(*wire.Hello)
		want   codes.Code
	}{
		{"another terminal", func(h *wire.Hello) { h.TerminalId = "t2" }, codes.PermissionDenied},
		{"no terminal", func(h *wire.Hello) { h.TerminalId = "" }, codes.PermissionDenied},
		{"no version", func(h *wire.Hello) { h.AgentVersion = "" }, codes.InvalidArgument},
		{"long version", func(h *wire.Hello) { h.AgentVersion = strings.Repeat("1", 65) }, codes.InvalidArgument},
		{"line break in version", func(h *wire.Hello) { h.AgentVersion = "1\n2" }, codes.InvalidArgument},
		{"short boot id", func(h *wire.Hello) { h.BootId = []byte{1} }, codes.InvalidArgument},
		{"no lanes", func(h *wire.Hello) { h.Lanes = nil }, codes.InvalidArgument},
		{"65 lanes", func(h *wire.Hello) { h.Lanes = many.Lanes[:65] }, codes.InvalidArgument},
		{"lane twice", func(h *wire.Hello) { h.Lanes[1].Lane = wire.Lane_LANE_LEDGER }, codes.InvalidArgument},
		{"lane 0", func(h *wire.Hello) { h.Lanes[1].Lane = 0 }, codes.InvalidArgument},
		{"lane 3", func(h *wire.Hello) { h.Lanes[1].Lane = 3 }, codes.InvalidArgument},
		{"no epoch", func(h *wire.Hello) { h.Lanes[0].Epoch = nil }, codes.InvalidArgument},
		{"long epoch", func(h *wire.Hello) { h.Lanes[0].Epoch = make([]byte, 17) }, codes.InvalidArgument},
		{"oldest 0", func(h *wire.Hello) { h.Lanes[0].Oldest = 0 }, codes.InvalidArgument},
		{"next before oldest", func(h *wire.Hello) { h.Lanes[0].Oldest = 5 }, codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := b.dial(b.clientTLS(cert))
			h := greeting("t1")
			tt.change(h)
			m.hello(h)
			m.refused(tt.want)
		})
	}
	t.Run("64 lanes", func(t *testing.T) {
		m := b.dial(b.clientTLS(cert))
		h := greeting("t1")
		h.Lanes = many.Lanes[:64]
		m.hello(h)
		m.welcome()
	})
	t.Run("batch first", func(t *testing.T) {
		m := b.dial(b.clientTLS(cert))
		m.send(readings(t, 1, 1))
		m.refused(codes.InvalidArgument)
	})
	t.Run("empty message first", func(t *testing.T) {
		m := b.dial(b.clientTLS(cert))
		_ = m.stream.Send(&wire.ToBackend{})
		m.refused(codes.InvalidArgument)
	})
}

// While one terminal misbehaves in every way, another is served on a stream of its own.
func TestBatchesRefused(t *testing.T) {
	b := start(t)
	neighbour := b.connect("m1", "t2")
	neighbour.hello(greeting("t2"))
	neighbour.welcome()
	cert := issue(t, b.ca, "m1", "t1")
	tests := []struct {
		name  string
		batch func(t *testing.T) *wire.Batch
		want  codes.Code
	}{
		{"gap", func(t *testing.T) *wire.Batch { return readings(t, 2, 1) }, codes.FailedPrecondition},
		{"seq 0", func(t *testing.T) *wire.Batch { return readings(t, 0, 1) }, codes.InvalidArgument},
		{"no records", func(t *testing.T) *wire.Batch { return readings(t, 1, 0) }, codes.InvalidArgument},
		{"1,001 records", func(t *testing.T) *wire.Batch { return readings(t, 1, 1001) }, codes.InvalidArgument},
		{"unknown lane", func(t *testing.T) *wire.Batch { b := readings(t, 1, 1); b.LaneIndex = 2; return b }, codes.InvalidArgument},
		{"huge lane", func(t *testing.T) *wire.Batch { b := readings(t, 1, 1); b.LaneIndex = 1<<32 - 1; return b }, codes.InvalidArgument},
		{"5 MB", func(*testing.T) *wire.Batch {
			return &wire.Batch{LaneIndex: 1, FirstSeq: 1, Records: [][]byte{make([]byte, 5e6)}}
		}, codes.ResourceExhausted},
		{"ledger without chain", func(t *testing.T) *wire.Batch { b := readings(t, 1, 1); b.LaneIndex = 0; return b }, codes.InvalidArgument},
		{"lost over its records", func(t *testing.T) *wire.Batch {
			b := readings(t, 1, 1)
			b.LaneIndex, b.Chain, b.Lost = 0, make([]byte, 8), []*wire.SeqRange{{From: 1, To: 1}}
			return b
		}, codes.InvalidArgument},
		{"nothing", func(*testing.T) *wire.Batch { return nil }, codes.InvalidArgument},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := b.dial(b.clientTLS(cert))
			m.hello(greeting("t1"))
			m.welcome()
			m.send(tt.batch(t))
			m.refused(tt.want)

			neighbour.send(readings(t, uint64(i+1), 1))
			if ack := neighbour.ack(); ack.Through != uint64(i+1) {
				t.Errorf("neighbour's ack = %v", ack)
			}
		})
	}
	t.Run("second Hello", func(t *testing.T) {
		m := b.dial(b.clientTLS(cert))
		m.hello(greeting("t1"))
		m.welcome()
		m.hello(greeting("t1"))
		m.refused(codes.InvalidArgument)
	})
	if got, want := b.log.Head(), uint64(len(tests)); got != want {
		t.Errorf("log has %d entries, want the neighbour's %d", got, want)
	}
}

func TestUnreadableRecordsAreRejectedByName(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
	batch := readings(t, 1, 4)
	batch.Records[1] = nil
	batch.Records[2] = make([]byte, eventlog.MaxRecordBytes+1)
	m.send(batch)
	ack := m.ack()
	if ack.Through != 4 || len(ack.Rejects) != 2 ||
		ack.Rejects[0].Seq != 2 || ack.Rejects[0].Reason != wire.RejectReason_REJECT_REASON_MALFORMED ||
		ack.Rejects[1].Seq != 3 || ack.Rejects[1].Reason != wire.RejectReason_REJECT_REASON_TOO_LARGE {
		t.Errorf("ack = %v", ack)
	}
}

func TestReplayAndLost(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
	lost := readings(t, 8, 1)
	lost.Lost = []*wire.SeqRange{{From: 5, To: 7}}
	steps := []struct {
		batch   *wire.Batch
		through uint64
	}{{readings(t, 1, 3), 3}, {readings(t, 1, 3), 3}, {readings(t, 2, 3), 4}, {lost, 8}, {lost, 8}}
	for i, s := range steps {
		m.send(s.batch)
		if ack := m.ack(); ack.Through != s.through {
			t.Errorf("step %d: ack through %d, want %d", i, ack.Through, s.through)
		}
	}
	stored := 0
	if err := b.log.Read(t.Context(), 1, b.log.Head(), func(_ uint64, e *eventlog.Entry) error { stored += len(e.Records); return nil }); err != nil || stored != 5 {
		t.Errorf("%d records stored, %v; want 5", stored, err)
	}
}

// Many batches are sent without waiting; all are acknowledged, in order, and the client's end of sending is not an error.
func TestPipeline(t *testing.T) {
	b := start(t)
	var wg sync.WaitGroup
	for _, name := range []string{"t1", "t2", "t3", "t4"} {
		m := b.connect("m1", name)
		wg.Go(func() {
			m.hello(greeting(name))
			for i := range 200 {
				m.send(readings(t, uint64(2*i+1), 2))
			}
			_ = m.stream.CloseSend()
			var through uint64
			for {
				answer, err := m.stream.Recv()
				if err != nil {
					if err.Error() != "EOF" {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
				if ack := answer.GetAck(); ack != nil {
					if ack.Through <= through {
						t.Errorf("%s: ack went from %d to %d", name, through, ack.Through)
					}
					through = ack.Through
				}
			}
			if through != 400 {
				t.Errorf("%s: acknowledged through %d, want 400", name, through)
			}
		})
	}
	wg.Wait()
}

func TestNewerStreamTakesOver(t *testing.T) {
	b := start(t)
	cert := issue(t, b.ca, "m1", "t1")
	older := b.dial(b.clientTLS(cert))
	older.hello(greeting("t1"))
	older.welcome()
	// The same terminal name at another merchant is another terminal.
	stranger := b.connect("m2", "t1")
	stranger.hello(greeting("t1"))
	stranger.welcome()

	newer := b.dial(b.clientTLS(cert))
	newer.hello(greeting("t1"))
	newer.welcome()
	older.refused(codes.Aborted)
	newer.send(readings(t, 1, 1))
	newer.ack()
	stranger.send(readings(t, 1, 1))
	stranger.ack()
	if n := b.gateway.Streams(); n != 2 {
		t.Errorf("%d streams, want 2", n)
	}
}

func TestStop(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
	b.gateway.Stop()
	m.refused(codes.Unavailable)
	late := b.connect("m1", "t2")
	late.hello(greeting("t2"))
	late.refused(codes.Unavailable)
}

func TestClosedLog(t *testing.T) {
	b := start(t)
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
	if err := b.log.Close(); err != nil {
		t.Fatal(err)
	}
	m.send(readings(t, 1, 1))
	m.refused(codes.Unavailable)
	late := b.connect("m1", "t2")
	late.hello(greeting("t2"))
	late.refused(codes.Unavailable)
}
