package parquet_test

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land/parquet"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// latency is what a reader asks for of an operation.
type latency struct {
	Terminal  string  `parquet:"terminal"`
	App       string  `parquet:"app,optional"`
	Operation string  `parquet:"operation,optional"`
	Count     uint32  `parquet:"count"`
	SumUs     *uint64 `parquet:"sum_us,optional"`
	P50Us     *uint32 `parquet:"p50_us,optional"`
	P99Us     *uint32 `parquet:"p99_us,optional"`
	Sketch    string  `parquet:"sketch,optional"`
}

// The percentiles of each window are columns, and the sketches of two terminals give those of both together.
func TestLatencies(t *testing.T) {
	p, dir := newTerminal(t), t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	var all []uint32
	for i, terminal := range []string{"t1", "t1", "t2"} {
		var s sketch.Sketch
		for range 500 {
			us := uint32(100_000 * math.Exp(r.NormFloat64()) * float64(1+i))
			s.Add(us)
			all = append(all, us)
		}
		record, err := block.Encode([][]byte{p.marshal(&wire.Event{Clock: &wire.Clock{}, Body: &wire.Event_AppOperation{AppOperation: &wire.AppOperation{
			App: "pos", Operation: "sale", WindowSeconds: 900, Count: uint32(s.Count()), SumUs: proto.Uint64(s.Sum()), MaxUs: proto.Uint32(s.Max()),
			P50Us: proto.Uint32(s.Quantile(0.5)), P90Us: proto.Uint32(s.Quantile(0.9)), P99Us: proto.Uint32(s.Quantile(0.99)), Sketch: s.Append(nil),
		}}})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.log.Append(t.Context(), eventlog.Batch{
			ID: identity.ID{Merchant: "m1", Terminal: terminal}, Epoch: [16]byte{byte(i)}, Lane: wire.Lane_LANE_TELEMETRY,
			FirstSeq: 1, Records: [][]byte{record}, Received: noon, Gateway: "g1", AgentVersion: "1.0",
		}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := parquet.Open(parquet.Options{Log: p.log, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Land(t.Context(), p.log.Head()); err != nil {
		t.Fatal(err)
	}
	var together sketch.Sketch
	rows := readLatencies(t, dir)
	for _, row := range rows {
		data, err := hex.DecodeString(row.Sketch)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sketch.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", row.Terminal, err)
		}
		if row.App != "pos" || row.Operation != "sale" || row.Count != 500 || row.SumUs == nil || row.P50Us == nil || *row.P50Us != s.Quantile(0.5) || row.P99Us == nil || *row.P99Us != s.Quantile(0.99) {
			t.Errorf("row %+v does not fit its sketch", row)
		}
		together.Merge(s)
	}
	if len(rows) != 3 || together.Count() != 1500 {
		t.Fatalf("%d rows of %d durations, want 3 of 1500", len(rows), together.Count())
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		want := float64(all[int(math.Ceil(q*float64(len(all))))-1])
		if got := float64(together.Quantile(q)); math.Abs(got-want) > want/64 {
			t.Errorf("quantile %v of both terminals is %v, want %v within 1/64", q, got, want)
		}
	}
}

func readLatencies(t *testing.T, dir string) (rows []latency) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "kind=app_operation", "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		read, err := pq.Read[latency](f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, read...)
	}
	return rows
}
