package parquet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	pq "github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/backend/land/parquet"
	"github.com/stampd/stampd/uplink/wire"
)

// Every kind with every field set and with none, as it is read back. A golden file that changes is a change of what
// readers see: columns may be added, and nothing else.
func TestGolden(t *testing.T) {
	p, dir := newTerminal(t), t.TempDir()
	for _, body := range bodies() {
		full, empty := &wire.Event{Clock: &wire.Clock{}}, &wire.Event{}
		fill(full.Clock.ProtoReflect())
		fill(full.ProtoReflect().Mutable(body).Message())
		empty.ProtoReflect().Set(body, protoreflect.ValueOf(empty.ProtoReflect().NewField(body).Message()))
		lane := wire.Lane_LANE_LEDGER
		records := [][]byte{p.marshal(full), p.marshal(empty)}
		if body.Number() >= 20 {
			lane, records = wire.Lane_LANE_TELEMETRY, [][]byte{p.block(full, empty)}
		}
		p.send(lane, noon, 0, records...)
	}
	p.send(wire.Lane_LANE_LEDGER, noon, 0, p.newerKind(), []byte("not an event"))
	p.send(wire.Lane_LANE_TELEMETRY, noon, 7)

	l, err := parquet.Open(parquet.Options{Log: p.log, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := l.Land(t.Context(), p.log.Head())
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*len(bodies()) + 3; rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}
	kinds := []string{"lost", "rejected", "unknown"}
	for _, body := range bodies() {
		kinds = append(kinds, string(body.Name()))
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join(dir, "kind="+kind, "date=2026-05-01", "*.parquet"))
			if len(files) != 1 {
				t.Fatalf("files: %q", files)
			}
			got, golden := dump(t, files[0]), filepath.Join("testdata", kind+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// dump returns a line for each column of a file: its name and type, and its values.
func dump(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	var rows []pq.Row
	for _, group := range file.RowGroups() {
		reader := group.Rows()
		defer reader.Close()
		buffer := make([]pq.Row, 16)
		n, _ := reader.ReadRows(buffer)
		for _, r := range buffer[:n] {
			rows = append(rows, r.Clone())
		}
	}
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for i, field := range file.Schema().Fields() {
		null := "required"
		if field.Optional() {
			null = "optional"
		}
		fmt.Fprintf(w, "%s\t%s %s", field.Name(), null, field.Type())
		for _, r := range rows {
			value, kind := r[i].String(), field.Type().Kind()
			switch {
			case r[i].IsNull():
				value = "null"
			case kind == pq.ByteArray:
				value = fmt.Sprintf("%q", value)
			case strings.HasSuffix(field.Type().String(), ",false)") && kind == pq.Int32:
				value = fmt.Sprint(r[i].Uint32())
			case strings.HasSuffix(field.Type().String(), ",false)"):
				value = fmt.Sprint(r[i].Uint64())
			}
			fmt.Fprintf(w, "\t%s", value)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return out.String()
}

// What a reader that knows a few columns asks for is found in the files of every kind.
func TestReadersOfAFewColumns(t *testing.T) {
	type row struct {
		Terminal       string `parquet:"terminal"`
		Epoch          string `parquet:"epoch"`
		Seq            int64  `parquet:"seq"`
		Index          int32  `parquet:"index"`
		IdempotencyKey string `parquet:"idempotency_key,optional"`
	}
	dir := t.TempDir()
	if err := landAll(t, parquet.Options{Log: mixed(t), Dir: dir}); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
	keys, n := map[string]int{}, 0
	for _, name := range files {
		rows, err := pq.ReadFile[row](name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range rows {
			n++
			keys[r.IdempotencyKey]++
			if r.Terminal != "t1" || r.Epoch != "ab000000000000000000000000000000" || r.Seq == 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	if n != len(mixedRows()) || keys["k1"] != 3 || keys[""] != 6 {
		t.Errorf("%d rows, keys %v", n, keys)
	}
}
