package main

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// A wall clock that is set while the agent runs leaves one security event, which says by how much.
func TestStepOfTheClockIsRecorded(t *testing.T) {
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := buffer.Open(buffer.Options{
		Path: filepath.Join(t.TempDir(), "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 8 << 20, LedgerReserve: 1 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	var ahead atomic.Int64
	clock := hal.NewClockOf(hal.ClockSources{
		Wall:         func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead.Load())) },
		SinceBoot:    hal.NewClock("/proc").SinceBoot,
		Synchronised: func() bool { return false },
	})
	a := &agent{log: zerolog.Nop(), clock: clock, queue: queue}
	a.ledger, err = ledger.New(ledger.Options{
		Queue: queue, Guard: pci.NewGuard(nil), Clock: clock, Terminal: "t-1", Online: func() bool { return false },
		Programme: loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.watchClock(ctx) }()

	clock.Now()
	ahead.Store(int64(-2 * time.Hour))
	clock.Now()
	clock.Now()
	var steps []*wire.Audit
	for start := time.Now(); len(steps) == 0 && time.Since(start) < 15*time.Second; time.Sleep(time.Millisecond) {
		steps = audits(t, queue)
	}
	cancel()
	<-done
	if steps = audits(t, queue); len(steps) != 1 {
		t.Fatalf("recorded %v, want one step", steps)
	}
	off := steps[0].GetStepMs() + (2 * time.Hour).Milliseconds()
	if steps[0].GetKind() != wire.AuditKind_AUDIT_KIND_TIME_STEP || off < -1000 || off > 1000 {
		t.Errorf("recorded %v, want two hours back", steps[0])
	}
}

// audits returns the security events in the queue.
func audits(t *testing.T, queue *buffer.Queue) (found []*wire.Audit) {
	t.Helper()
	for _, lane := range queue.Lanes() {
		if lane.Lane != buffer.Ledger {
			continue
		}
		records, err := queue.Read(lane.LaneID, 1, 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			var e wire.Event
			if err := proto.Unmarshal(r.Payload, &e); err != nil {
				t.Fatal(err)
			}
			found = append(found, e.GetAudit())
		}
	}
	return found
}
