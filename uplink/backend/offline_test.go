package backend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// offline is a terminal without a network: its queue, and what the queue was given.
type offline struct {
	opts   buffer.Options
	queue  *buffer.Queue
	guard  *pci.Guard
	given  map[string]uint64 // by epoch, the last telemetry record
	ledger uint64            // payments that were answered with yes
}

func newOffline(t *testing.T, dir string, room int64) *offline {
	t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	m := &offline{
		opts: buffer.Options{
			Path: filepath.Join(dir, "queue.db"), Terminal: "t1", Keys: keys, MaxSize: room, LedgerReserve: room / 4,
			TelemetryMemory: 64 << 10, SpillAfter: time.Hour, Log: zerolog.Nop(),
		},
		guard: pci.NewGuard(block.Encode),
		given: map[string]uint64{},
	}
	m.open(t)
	return m
}

func (m *offline) open(t *testing.T) {
	t.Helper()
	var err error
	if m.queue, err = buffer.Open(m.opts); err != nil {
		t.Fatal(err)
	}
}

// restart stops the agent and starts it again. What was in memory may be lost with that, if the disk takes nothing.
func (m *offline) restart(t *testing.T) {
	t.Helper()
	if err := m.queue.Close(); err != nil && !errors.Is(err, buffer.ErrFull) {
		t.Fatal(err)
	}
	m.open(t)
}

// read has the terminal read so many blocks of 4 events, which nothing can compress by much.
func (m *offline) read(t *testing.T, blocks int) {
	t.Helper()
	for range blocks {
		var events []pci.Clean
		for i := range 4 {
			detail := make([]byte, 240)
			for j := range detail {
				detail[j] = "abcdefghijklmnopqrstuvwxyz "[rand.N(27)]
			}
			events = append(events, m.check(t, &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: &wire.Lifecycle{
				Kind: wire.LifecycleKind_LIFECYCLE_KIND_PART_MISSING, Part: fmt.Sprint("part-", i), Detail: string(detail),
			}}}))
		}
		packed, err := m.guard.Pack(events)
		if err != nil {
			t.Fatal(err)
		}
		seq, err := m.queue.AppendTelemetry(packed)
		if err != nil {
			t.Fatal(err)
		}
		m.given[m.epoch()] = seq
	}
}

func (m *offline) check(t *testing.T, e *wire.Event) pci.Clean {
	t.Helper()
	e.Clock = &wire.Clock{WallUnixMs: new(int64(1_790_000_000_000)), BootMs: new(int64(1)), BootId: make([]byte, 16)}
	c, err := m.guard.Check(e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pay records so many payments, a dozen at a time, or as many as there is room for.
func (m *offline) pay(t *testing.T, n int) {
	t.Helper()
	const dozen = 12
	for until := m.ledger + uint64(n); m.ledger < until; m.ledger += dozen {
		err := m.queue.Update(t.Context(), func(tx *buffer.Tx) error {
			for i := range uint64(dozen) {
				tx.Append(m.check(t, &wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{
					IdempotencyKey: fmt.Sprint("order-", m.ledger+i), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
					AmountMinor: 100, Currency: "EUR", OrderRef: strings.Repeat("x", 40),
				}}}))
			}
			return nil
		})
		if errors.Is(err, buffer.ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// epoch returns the name of the telemetry epoch that takes new records.
func (m *offline) epoch() string {
	lanes := m.queue.Lanes()
	return lanes[len(lanes)-1].Epoch.String()
}

// held reads back which telemetry records the queue still has, by epoch.
func (m *offline) held(t *testing.T) map[string]map[uint64]bool {
	t.Helper()
	held := map[string]map[uint64]bool{}
	for _, l := range m.queue.Lanes() {
		if l.Lane != buffer.Telemetry {
			continue
		}
		seqs := map[uint64]bool{}
		for from := l.Oldest; from < l.Next; {
			records, err := m.queue.Read(l.LaneID, from, 100, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				seqs[r.Seq] = r.Payload != nil
				from = r.Seq + 1
			}
		}
		held[l.Epoch.String()] = seqs
	}
	return held
}

// connect sends everything to the backend.
func (m *offline) connect(t *testing.T, o Options, addr string) {
	t.Helper()
	out := t.TempDir()
	if err := ca.IssueTerminal(filepath.Dir(o.CAFile), identity.ID{Merchant: "m1", Terminal: "t1"}, out); err != nil {
		t.Fatal(err)
	}
	client := uplink.New(uplink.Options{
		Queue: m.queue, Backend: addr, Identity: identity.ID{Merchant: "m1", Terminal: "t1"}, AgentVersion: "1", Clock: hal.NewClock("/proc"),
		TLS: uplink.Files{
			Cert: filepath.Join(out, ca.TerminalCertFile), Key: filepath.Join(out, ca.TerminalKeyFile), CA: o.CAFile, ServerName: "127.0.0.1",
		},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		StallAfter: time.Minute, Keepalive: time.Minute, Alarm: func(a *wire.Audit) { t.Errorf("alarm: %v", a) }, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { _ = client.Run(ctx) })
	if waiting, complete := client.Flush(ctx); !complete {
		t.Errorf("%d records are waiting: %v", waiting, client.Status())
	}
	cancel()
	running.Wait()
}

// smallDisk returns a folder on a file system of its own that takes size bytes.
func smallDisk(t *testing.T, size int64) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a file system is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
