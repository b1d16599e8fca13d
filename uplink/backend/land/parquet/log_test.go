package parquet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land/parquet"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// terminal makes batches as a terminal does.
type terminal struct {
	t     testing.TB
	log   *eventlog.Log
	chain [32]byte
	next  [3]uint64 // seq by lane
}

func newTerminal(t testing.TB) *terminal {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return &terminal{t: t, log: log, next: [3]uint64{0, 1, 1}}
}

func (p *terminal) marshal(m proto.Message) []byte {
	p.t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// block returns a telemetry record.
func (p *terminal) block(events ...*wire.Event) []byte {
	b := &wire.TelemetryBlock{}
	for _, e := range events {
		b.Events = append(b.Events, p.marshal(e))
	}
	return p.marshal(b)
}

// send appends one entry to the log. Lost is how many numbers before it are lost.
func (p *terminal) send(lane wire.Lane, received time.Time, lost uint64, records ...[]byte) {
	p.t.Helper()
	b := eventlog.Batch{
		ID: identity.ID{Merchant: "m1", Terminal: "t1"}, Epoch: [16]byte{0xab}, Lane: lane,
		FirstSeq: p.next[lane] + lost, Records: records, Received: received, Gateway: "g1", AgentVersion: "1.0",
	}
	if lost > 0 {
		b.Lost = []eventlog.Range{{From: p.next[lane], To: p.next[lane] + lost - 1}}
	}
	for i, record := range records {
		if lane == wire.Lane_LANE_LEDGER {
			link := binary.BigEndian.AppendUint64(p.chain[:], b.FirstSeq+uint64(i))
			p.chain = sha256.Sum256(append(link, record...))
		}
	}
	if lane == wire.Lane_LANE_LEDGER {
		b.Chain = p.chain[:8]
	}
	p.next[lane] += lost + uint64(len(records))
	if _, err := p.log.Append(p.t.Context(), b); err != nil {
		p.t.Fatal(err)
	}
}

// newerKind returns an event of a kind that this program does not know.
func (p *terminal) newerKind() []byte {
	b := p.marshal(&wire.Event{Clock: &wire.Clock{BootMs: proto.Int64(3)}})
	return protowire.AppendBytes(protowire.AppendTag(b, 99, protowire.BytesType), []byte{8, 1})
}

// fill sets every field of a message to a value of its own.
func fill(m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		switch message := f.Kind() == protoreflect.MessageKind; {
		case f.IsList() && message:
			fill(m.Mutable(f).List().AppendMutable().Message())
		case f.IsList():
			m.Mutable(f).List().Append(sample(f))
		case message:
			fill(m.Mutable(f).Message())
		default:
			m.Set(f, sample(f))
		}
	}
}

// sample returns a value of a field that is no message.
func sample(f protoreflect.FieldDescriptor) protoreflect.Value {
	n := int(f.Number())
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOf(fmt.Sprintf("text %d", n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOf([]byte{0xff, 0, byte(n)})
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(f.Enum().Values().Len() - 1).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOf(int32(-n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOf(int64(-n) << 40)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOf(^uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOf(^uint64(n))
	}
	panic("no value for " + f.FullName())
}

// bodies returns the fields of Event's body.
func bodies() []protoreflect.FieldDescriptor {
	fields := (*wire.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	out := make([]protoreflect.FieldDescriptor, fields.Len())
	for i := range out {
		out[i] = fields.Get(i)
	}
	return out
}

// mixed returns a log of four entries with several kinds of rows, received on two days.
func mixed(t testing.TB) *eventlog.Log {
	p := newTerminal(t)
	payment := p.marshal(&wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{IdempotencyKey: "k1"}}})
	host := &wire.Event{Body: &wire.Event_Host{Host: &wire.Host{}}}
	battery := &wire.Event{Body: &wire.Event_Battery{Battery: &wire.Battery{Name: "BAT0"}}}
	p.send(wire.Lane_LANE_LEDGER, noon, 0, payment, payment)
	p.send(wire.Lane_LANE_TELEMETRY, noon, 0, p.block(host, battery, host))
	p.send(wire.Lane_LANE_TELEMETRY, noon.AddDate(0, 0, 1), 5, p.block(battery))
	p.send(wire.Lane_LANE_LEDGER, noon, 0, []byte("not an event"), payment)
	return p.log
}

// place is where a row is from.
type place struct {
	kind, lane string
	seq        int64
	index      int32
}

// mixedRows is the rows of the log that mixed returns.
func mixedRows() []place {
	return []place{
		{"payment", "ledger", 1, 0}, {"payment", "ledger", 2, 0},
		{"host", "telemetry", 1, 0}, {"battery", "telemetry", 1, 1}, {"host", "telemetry", 1, 2},
		{"lost", "telemetry", 2, 0}, {"battery", "telemetry", 7, 0},
		{"rejected", "ledger", 3, 0}, {"payment", "ledger", 4, 0},
	}
}

// readAll returns how often each row is there. Every file whose name ends in .parquet must be whole.
func readAll(disk parquet.Disk) (map[place]int, error) {
	type row struct {
		Lane  string `parquet:"lane"`
		Seq   int64  `parquet:"seq"`
		Index int32  `parquet:"index"`
	}
	rows := map[place]int{}
	names, err := disk.Glob("*/*/*.parquet")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		contents, err := disk.ReadFile(name)
		if err != nil {
			return nil, err
		}
		part, err := pq.Read[row](bytes.NewReader(contents), int64(len(contents)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range part {
			rows[place{strings.TrimPrefix(path.Dir(path.Dir(name)), "kind="), r.Lane, r.Seq, r.Index}]++
		}
	}
	return rows, nil
}

// checkMixed fails unless the rows of mixed are there once, and nothing else.
func checkMixed(t testing.TB, disk parquet.Disk) {
	t.Helper()
	rows, err := readAll(disk)
	if err != nil {
		t.Fatal(err)
	}
	want := mixedRows()
	for _, r := range want {
		if rows[r] != 1 {
			t.Errorf("%+v is there %d times", r, rows[r])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows, want %d: %v", len(rows), len(want), rows)
	}
	for _, pattern := range []string{"_state/_*", "*/*/_*"} {
		if left, err := disk.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
}

// landAll lands the log in ranges that end at the offsets, and at its end.
func landAll(t testing.TB, o parquet.Options, ends ...uint64) error {
	l, err := parquet.Open(o)
	if err != nil {
		return err
	}
	l.Uncompressed()
	if _, err := l.Resume(t.Context()); err != nil {
		return err
	}
	for _, to := range append(ends, o.Log.Head()) {
		if _, err := l.Land(t.Context(), to); err != nil {
			return err
		}
	}
	return nil
}
