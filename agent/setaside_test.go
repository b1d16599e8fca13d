package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// A page of the queue's file goes bad while the agent is off, and so does the journal that has a second copy. It starts, sends what could be saved, and tells the backend
// what was saved and what was not.
func TestDamagedQueueIsToldOf(t *testing.T) {
	t.Parallel()
	const payments = 200
	h := newHouse(t)
	h.listen = "127.0.0.1:1"
	h.run(t, time.Hour)
	h.pay(t, payments)
	h.stop(t)
	want := h.damage(t)

	h.listen = "127.0.0.1:0"
	stop := h.serve(t)
	h.run(t, time.Hour)
	h.until(t, "everything is stored", func(s *wire.StatusResponse) bool {
		waiting, told := uint64(0), false
		for _, l := range s.GetLanes() {
			if l.GetLane() == wire.Lane_LANE_LEDGER {
				waiting, told = waiting+l.GetDepth(), told || l.GetAcked() > 0
			}
		}
		return waiting == 0 && told
	})
	h.stop(t)
	stop()

	var told []*wire.Audit
	stored := map[string]int{}
	for _, e := range h.landed(t) {
		if a := e.GetAudit(); a.GetKind() == wire.AuditKind_AUDIT_KIND_QUEUE_SET_ASIDE {
			told = append(told, a)
		}
		if p := e.GetPayment(); p != nil {
			stored[p.GetIdempotencyKey()]++
		}
	}
	if len(told) != 1 {
		t.Fatalf("the backend was told %d times: %v", len(told), told)
	}
	got := told[0]
	if got.GetSaved() != want.Records || got.GetMissing() != want.Missing || got.GetUnreadable() != want.Unreadable || got.Missing == nil || got.Unreadable == nil {
		t.Errorf("the backend was told %v, want %+v", got, want)
	}
	if !strings.HasPrefix(got.GetFile(), "queue.db.damaged-") || got.GetFound() != "damage" {
		t.Errorf("event = %v", got)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "queue", got.GetFile())); err != nil {
		t.Errorf("the file that the event names: %v", err)
	}
	for key, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", key, n)
		}
	}
	if uint64(len(stored)) != payments-want.Missing {
		t.Errorf("%d payments are stored, want %d less the %d that are gone", len(stored), payments, want.Missing)
	}
}

// pay records payments.
func (h *house) pay(t *testing.T, n int) {
	t.Helper()
	socket := filepath.Join(h.dir, "s")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, socket, startPatience) }}
	defer transport.CloseIdleConnections()
	c := &client{http: &http.Client{Transport: transport}, socket: socket}
	for i := range n {
		_, err := ask(t.Context(), c, callRecordPayment, &wire.RecordPaymentRequest{Payment: &wire.Payment{
			IdempotencyKey: fmt.Sprint("order-", i), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: int64(i), Currency: "EUR",
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stop ends the agent as the init system does.
func (h *house) stop(t *testing.T) {
	t.Helper()
	if err := h.agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
}

// damage clears the journal and a page of the queue's file that has ledger records, and returns what can be salvaged.
func (h *house) damage(t *testing.T) buffer.Salvage {
	t.Helper()
	const pageSize = 4096
	dir := filepath.Join(h.dir, "queue")
	key, err := pci.LoadKey(filepath.Join(dir, "queue.key"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pci.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(dir, "queue.db.journal"))
	if err != nil {
		t.Fatal(err)
	}
	clear(journal)
	if err := os.WriteFile(filepath.Join(dir, "queue.db.journal"), journal, 0o600); err != nil {
		t.Fatal(err)
	}
	for page := 2; page < len(whole)/pageSize; page++ {
		damaged := append([]byte(nil), whole...)
		clear(damaged[page*pageSize:][:pageSize])
		trial := filepath.Join(t.TempDir(), "queue.db")
		for path, contents := range map[string][]byte{trial: damaged, trial + ".journal": journal} {
			if err := os.WriteFile(path, contents, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		q, err := buffer.Open(buffer.Options{
			Path: trial, Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20, TelemetryMemory: 1 << 20,
			SpillAfter: time.Hour, Log: zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		aside := q.SetAside()
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if len(aside) == 1 && aside[0].Missing > 0 && aside[0].Records > 0 {
			if err := os.WriteFile(filepath.Join(dir, "queue.db"), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			return aside[0]
		}
	}
	t.Fatal("no page has ledger records")
	return buffer.Salvage{}
}

// landed returns the ledger's events in the backend's log.
func (h *house) landed(t *testing.T) (events []*wire.Event) {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(h.dir, "backend", "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	err = log.Read(t.Context(), 1, log.Head(), func(_ uint64, e *eventlog.Entry) error {
		for _, r := range e.GetRecords() {
			event := new(wire.Event)
			if e.GetLane() == uint32(wire.Lane_LANE_LEDGER) {
				if err := proto.Unmarshal(r, event); err != nil {
					return err
				}
				events = append(events, event)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}
