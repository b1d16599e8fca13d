package buffer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
)

func TestTelemetryCostsNoFlashWhileAcknowledgedInTime(t *testing.T) {
	q := open(t, options(t, t.TempDir()))
	id := lane(t, q, buffer.Telemetry).LaneID
	for i := range 5000 {
		seq, err := q.AppendTelemetry(clean(t, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Ack(t.Context(), id, seq, nil); err != nil {
			t.Fatal(err)
		}
	}
	if commits := q.Stats().Commits; commits != 0 {
		t.Errorf("5000 blocks took %d commits, want none", commits)
	}
}

func TestTelemetryIsWrittenWhenItHasWaited(t *testing.T) {
	opts := options(t, t.TempDir())
	opts.SpillAfter = 20 * time.Millisecond
	q := open(t, opts)
	for i := range 10 {
		if _, err := q.AppendTelemetry(clean(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for start := time.Now(); lane(t, q, buffer.Telemetry).InMemory > 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("telemetry is still in memory")
		}
	}
	if records := readAll(t, q, lane(t, q, buffer.Telemetry).LaneID); len(records) != 10 {
		t.Errorf("%d records, want 10", len(records))
	}
}

func TestTelemetrySurvivesAStopInAnEpochOfItsOwn(t *testing.T) {
	opts := options(t, t.TempDir())
	var epochs []buffer.LaneID
	for run := range 3 {
		q, err := buffer.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if _, err := q.AppendTelemetry(clean(t, fmt.Sprintf("%d.%d", run, i))); err != nil {
				t.Fatal(err)
			}
		}
		epochs = append(epochs, lane(t, q, buffer.Telemetry).LaneID)
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}

	q := open(t, opts)
	lanes := q.Lanes()
	if len(lanes) != 5 {
		t.Fatalf("%d lanes, want the ledger, three old epochs and the current one", len(lanes))
	}
	for run, id := range epochs {
		if lanes[run+1].LaneID != id {
			t.Fatalf("lane %d is %v, want the epoch of run %d", run+1, lanes[run+1].LaneID, run)
		}
		records := readAll(t, q, id)
		for i, r := range records {
			if want := clean(t, fmt.Sprintf("%d.%d", run, i)); string(r.Payload) != string(want.Bytes()) {
				t.Errorf("run %d: record %d is another one's", run, r.Seq)
			}
		}
		if err := q.Ack(t.Context(), id, 5, nil); err != nil {
			t.Fatal(err)
		}
	}
	if lanes := q.Lanes(); len(lanes) != 2 {
		t.Errorf("%d lanes after all was acknowledged, want 2", len(lanes))
	}
}

func TestTelemetryKeepsItsOrderAcrossMemoryAndDisk(t *testing.T) {
	opts := options(t, t.TempDir())
	opts.TelemetryMemory = 4 << 10
	q := open(t, opts)
	const n = 2000
	for i := range n {
		if _, err := q.AppendTelemetry(clean(t, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	id := lane(t, q, buffer.Telemetry).LaneID
	records := readAll(t, q, id)
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if r.Seq != uint64(i+1) || string(r.Payload) != string(clean(t, fmt.Sprint(i)).Bytes()) {
			t.Fatalf("record %d has seq %d or another one's bytes", i+1, r.Seq)
		}
	}
	if err := q.Ack(t.Context(), id, n, nil); err != nil {
		t.Fatal(err)
	}
	if s := lane(t, q, buffer.Telemetry); s.Depth() != 0 || s.InMemory != 0 {
		t.Errorf("after the ack: %+v", s)
	}
}
