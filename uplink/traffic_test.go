package uplink_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// picky is a backend that refuses some records, hangs up now and then, and counts the messages that it gets.
type picky struct {
	hangUp            atomic.Int64 // one batch in so many ends the stream; 0 is never
	ledger, telemetry atomic.Int64 // bytes of messages, with gRPC's five before each

	mu      sync.Mutex // guards everything below: a stream that was cut may still be served when the next one is
	rng     *rand.Rand
	through map[string]uint64
	chains  map[string]*chain
}

func newPicky(seed uint64) *picky {
	return &picky{rng: rand.New(rand.NewPCG(seed, 2)), through: map[string]uint64{}, chains: map[string]*chain{}}
}

func (p *picky) script(l link) error {
	m, err := l.Recv()
	if err != nil {
		return err
	}
	lanes := m.GetHello().GetLanes()
	if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: p.welcome(lanes)}}); err != nil {
		return err
	}
	for {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		ack, hangUp := p.take(lanes[m.GetBatch().GetLaneIndex()], m)
		if hangUp {
			return status.Error(codes.Unavailable, "come back later")
		}
		if err := sendAck(l, ack); err != nil {
			return err
		}
	}
}

func (p *picky) welcome(lanes []*wire.LaneState) *wire.Welcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &wire.Welcome{ServerUnixMs: time.Now().UnixMilli()}
	for _, lane := range lanes {
		key := string(lane.GetEpoch())
		if p.chains[key] == nil {
			p.chains[key] = new(chain)
		}
		w.Watermarks = append(w.Watermarks, &wire.Watermark{Through: p.through[key], Chain: slices.Clone(p.chains[key][:8])})
	}
	return w
}

// take counts a batch, and stores it unless it has it.
func (p *picky) take(lane *wire.LaneState, m *wire.ToBackend) (ack *wire.Ack, hangUp bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, key, size := m.GetBatch(), string(lane.GetEpoch()), int64(proto.Size(m)+5)
	ack = &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1}
	isNew := b.GetFirstSeq() == p.through[key]+1
	if lane.GetLane() == wire.Lane_LANE_LEDGER {
		p.ledger.Add(size)
		ack.Chain = b.GetChain()
		if isNew {
			ack.Chain = slices.Clone(p.chains[key].take(b.GetFirstSeq(), b.GetRecords()))
		}
	} else {
		p.telemetry.Add(size)
	}
	if isNew {
		p.through[key] = ack.GetThrough()
	}
	if p.rng.IntN(3) == 0 {
		ack.Rejects = []*wire.Reject{{Seq: ack.GetThrough(), Reason: wire.RejectReason_REJECT_REASON_MALFORMED}}
	}
	n := p.hangUp.Load()
	return ack, n > 0 && p.rng.Int64N(n) == 0
}

// behave makes a man in the middle honest from the next connection on, or what he was.
func (m *middle) behave(honest bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.honest = honest
}

// checkTraffic holds the purposes and the days of a status to the bytes that the connections' meter has.
func checkTraffic(t *testing.T, s *wire.UplinkStatus) {
	t.Helper()
	sum := &wire.Traffic{SentTcpBytes: new(uint64(0)), ReceivedTcpBytes: new(uint64(0))}
	for _, d := range s.GetDays() {
		sum.SentLedgerBytes += d.GetTraffic().GetSentLedgerBytes()
		sum.SentTelemetryBytes += d.GetTraffic().GetSentTelemetryBytes()
		sum.SentOverheadBytes += d.GetTraffic().GetSentOverheadBytes()
		sum.ReceivedOverheadBytes += d.GetTraffic().GetReceivedOverheadBytes()
		*sum.SentTcpBytes += d.GetTraffic().GetSentTcpBytes()
		*sum.ReceivedTcpBytes += d.GetTraffic().GetReceivedTcpBytes()
	}
	tr := s.GetTraffic()
	if tr.GetSentLedgerBytes()+tr.GetSentTelemetryBytes()+tr.GetSentOverheadBytes() != s.GetSentBytes() || tr.GetReceivedOverheadBytes() != s.GetReceivedBytes() {
		t.Fatalf("of %d bytes sent and %d received, the purposes have %v", s.GetSentBytes(), s.GetReceivedBytes(), tr)
	}
	if len(s.GetDays()) > 0 && (tr.SentTcpBytes != nil && !proto.Equal(sum, tr)) {
		t.Fatalf("of %v, the days have %v", tr, sum)
	}
}

// The purposes add up to all that was metered, at every moment, while connections are cut, batches refused and streams
// ended; on a connection that is left alone, they are to the byte what the backend got.
func TestTrafficAddsUp(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p, m := newPicky(seed), &middle{rng: rand.New(rand.NewPCG(seed, 3)), open: map[net.Conn]bool{}}
		p.hangUp.Store(8)
		b := newBench(t, func(certs string) string {
			m.to = serveScript(t, p.script)(certs)
			return m.serve(t)
		}, func(o *uplink.Options) { o.StallAfter = 300 * time.Millisecond })
		b.run()
		for range 60 {
			b.add(rng.IntN(4))
			b.addReadings(rng.IntN(3), 1+rng.IntN(20_000))
			time.Sleep(time.Duration(rng.IntN(8)) * time.Millisecond) // lets some of it go out
			checkTraffic(t, b.client.Status())
			if rng.IntN(6) == 0 {
				m.behave(rng.IntN(3) > 0)
				m.cutAll()
			}
		}
		m.behave(true)
		m.cutAll()
		p.hangUp.Store(0)
		flushed(t, b)
		time.Sleep(settled) // an ack may be there before the write that it answers has returned, and was counted
		s := b.client.Status()
		checkTraffic(t, s)
		if s.GetConnects() < 3 {
			t.Errorf("seed %d: it connected %d times only", seed, s.GetConnects())
		}
		ledger, telemetry := p.ledger.Load(), p.telemetry.Load()
		b.add(30)
		b.addReadings(10, 5000)
		flushed(t, b)
		time.Sleep(settled)
		after := b.client.Status()
		checkTraffic(t, after)
		if after.GetConnects() != s.GetConnects() {
			continue // a mischief that was under way has cut it
		}
		if got, want := int64(after.GetTraffic().GetSentLedgerBytes()-s.GetTraffic().GetSentLedgerBytes()), p.ledger.Load()-ledger; got != want {
			t.Errorf("seed %d: the ledger has %d bytes, the backend got %d", seed, got, want)
		}
		if got, want := int64(after.GetTraffic().GetSentTelemetryBytes()-s.GetTraffic().GetSentTelemetryBytes()), p.telemetry.Load()-telemetry; got != want {
			t.Errorf("seed %d: the readings have %d bytes, the backend got %d", seed, got, want)
		}
		t.Logf("seed %d: %d connections, %v", seed, after.GetConnects(), after.GetTraffic())
	}
}

// What TCP took is what the other end counts, but for what is on its way when it is asked.
func TestTrafficOfTCP(t *testing.T) {
	conns := make(chan *net.TCPConn, 10)
	b := newBench(t, func(certs string) string {
		address, _ := serveGatewayOn(t, certs, func(l net.Listener) net.Listener { return &counted{l, conns} })
		return address
	}, nil)
	if s := b.client.Status(); s.RoundTripUs != nil || s.Retransmits != nil || s.GetTraffic().SentTcpBytes != nil || s.ConnectMs != nil {
		t.Errorf("before there was a connection, the status is %v", s)
	}
	b.run()
	b.add(50)
	flushed(t, b)
	time.Sleep(settled)
	s := b.client.Status()
	tcp := s.GetTraffic().GetSentTcpBytes() + s.GetTraffic().GetReceivedTcpBytes()
	if want := segments(t, <-conns) * segmentHeaders; s.GetRetransmits() == 0 && (int(tcp) < want-2*segmentHeaders || int(tcp) > want+2*segmentHeaders) {
		t.Errorf("TCP and IP took %d bytes, the backend's end says %d", tcp, want)
	}
	if s.GetRoundTripUs() == 0 || s.GetRoundTripUs() > 1_000_000 || s.Retransmits == nil {
		t.Errorf("the connection has a round trip of %d us, and retransmissions are known: %v", s.GetRoundTripUs(), s.Retransmits != nil)
	}
	if s.ConnectMs == nil || s.HandshakeMs == nil || s.ResolveMs != nil {
		t.Errorf("the steps took %v, %v and %v ms; 127.0.0.1 is not looked up", s.ResolveMs, s.ConnectMs, s.HandshakeMs)
	}
}

// A name is looked up, and that takes its time.
func TestTimeOfALookUp(t *testing.T) {
	b := newBench(t, serveScript(t, honest), func(o *uplink.Options) {
		_, port, _ := net.SplitHostPort(o.Backend)
		o.Backend = "localhost:" + port
	})
	b.run()
	eventually(t, "the terminal to be online", b.client.Online)
	if s := b.client.Status(); s.ResolveMs == nil || s.ConnectMs == nil {
		t.Errorf("the steps took %v and %v ms", s.ResolveMs, s.ConnectMs)
	}
}

// A restart keeps the days and what is left of the limit of a day; a file that can't be used is forgotten.
func TestTrafficOverARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "traffic.json")
	var s shop
	s.now.Store(tomorrow(12, 0))
	address := ""
	life := func(readings int) (*bench, *wire.UplinkStatus) {
		var b *bench
		t.Run("life", func(t *testing.T) {
			b = newBench(t, func(certs string) string { address = serveScript(t, s.script)(certs); return address }, func(o *uplink.Options) {
				o.TrafficFile, o.TelemetryPerDay, o.Zone = file, 64<<10, time.UTC
			})
			b.addReadings(readings, 4000)
			b.run()
			eventually(t, "readings to arrive", func() bool {
				st := b.client.Status()
				return b.client.Online() && st.GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_LIMIT || int(s.telemetry.Load()) >= readings
			})
		})
		return b, b.client.Status()
	}
	_, first := life(6)
	if n := len(first.GetDays()); n != 1 || first.GetDays()[0].GetDate() != tomorrow(12, 0).Format(time.DateOnly) {
		t.Fatalf("the days are %v", first.GetDays())
	}
	before := s.telemetry.Load()
	_, second := life(100)
	day := second.GetDays()[0]
	if day.GetTraffic().GetSentTelemetryBytes() != first.GetTraffic().GetSentTelemetryBytes()+second.GetTraffic().GetSentTelemetryBytes() {
		t.Errorf("the day has %v, the runs %v and %v", day, first.GetTraffic(), second.GetTraffic())
	}
	if n := s.telemetry.Load() - before; n > 11 {
		t.Errorf("6 blocks of 4 kB went before the restart, and %d after it, for 64 KiB", n)
	}
	if second.GetTelemetryBytesToday() != day.GetTelemetryLimitBytes() || day.GetTelemetryLimitBytes() > 64<<10 {
		t.Errorf("%d bytes count against the limit, the day has %d", second.GetTelemetryBytesToday(), day.GetTelemetryLimitBytes())
	}

	for _, content := range []string{"", "{", "null", `{"days":[{"date":"1 May"}]}`, strings.Repeat(" ", 20_000) + "{}"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		b := newBench(t, func(string) string { return address }, func(o *uplink.Options) { o.TrafficFile = file })
		for _, d := range b.client.Status().GetDays() {
			if d.GetTraffic().GetSentOverheadBytes() > 0 {
				t.Errorf("%.20q: the days are %v", content, d)
			}
		}
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone")
	}
}

// On a single connection each purpose has from the first byte on what the backend got of it.
func TestTrafficOfOneConnection(t *testing.T) {
	p := newPicky(1)
	b := newBench(t, serveScript(t, p.script), nil)
	b.add(20)
	b.addReadings(5, 3000)
	b.run()
	flushed(t, b)
	b.add(1)
	flushed(t, b)
	time.Sleep(settled)
	s := b.client.Status()
	checkTraffic(t, s)
	if tr := s.GetTraffic(); int64(tr.GetSentLedgerBytes()) != p.ledger.Load() || int64(tr.GetSentTelemetryBytes()) != p.telemetry.Load() || s.GetConnects() != 1 {
		t.Errorf("sent are %v in %d connections, the backend got %d and %d", tr, s.GetConnects(), p.ledger.Load(), p.telemetry.Load())
	}
}
