package parquet_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land/parquet"
	"github.com/stampd/stampd/uplink/wire"
)

// Rows that are too large together for memory are written in row groups.
func TestLargeRows(t *testing.T) {
	p, dir := newTerminal(t), t.TempDir()
	for range 5 {
		var records [][]byte
		for i := range 8 {
			records = append(records, bytes.Repeat([]byte{byte(i)}, eventlog.MaxRecordBytes<<1))
		}
		p.send(wire.Lane_LANE_LEDGER, noon, 0, records...)
	}
	if err := landAll(t, parquet.Options{Log: p.log, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "kind=rejected", "*", "*.parquet"))
	if len(files) != 1 {
		t.Fatalf("files: %q", files)
	}
	type row struct {
		Seq    int64  `parquet:"seq"`
		Reason string `parquet:"reason,optional"`
		Raw    []byte `parquet:"raw"`
	}
	rows, err := pq.ReadFile[row](files[0])
	if err != nil || len(rows) != 40 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		if r.Seq != int64(i+1) || r.Reason != "too_large" || !bytes.Equal(r.Raw, bytes.Repeat([]byte{byte(i % 8)}, eventlog.MaxRecordBytes<<1)) {
			t.Fatalf("row %d: seq %d, %s, %d bytes", i, r.Seq, r.Reason, len(r.Raw))
		}
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	file, err := pq.OpenFile(f, info.Size())
	if err != nil || len(file.RowGroups()) < 2 {
		t.Errorf("%d row groups, %v", len(file.RowGroups()), err)
	}
}

// A column that was expected to have few values and has many is kept all the same.
func TestManyValues(t *testing.T) {
	const rows = 40_000
	p, dir := newTerminal(t), t.TempDir()
	for i := 0; i < rows; i += 1000 {
		var records [][]byte
		for j := range 1000 {
			records = append(records, p.marshal(&wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{Kind: wire.PaymentKind(1_000_000 + i + j)}}}))
		}
		p.send(wire.Lane_LANE_LEDGER, noon, 0, records...)
	}
	if err := landAll(t, parquet.Options{Log: p.log, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
	type row struct {
		Kind string `parquet:"payment_kind,optional"`
	}
	got, err := pq.ReadFile[row](files[0])
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, r := range got {
		seen[r.Kind] = true
	}
	if len(seen) != rows || !seen["1000000"] || !seen["1039999"] {
		t.Errorf("%d values", len(seen))
	}
}
