package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// A queue whose key is not at hand is moved away with its journal, the shop goes on with a new one, and the backend is
// told. When the key and the files are put back, what is in them is delivered.
func TestQueueWithoutItsKeyIsToldOf(t *testing.T) {
	t.Parallel()
	const before = 5
	for name, tt := range map[string]struct {
		spoil func(key string) error
		found string
	}{
		"no key":      {os.Remove, "key missing"},
		"empty key":   {func(key string) error { return os.Truncate(key, 0) }, "key damaged"},
		"cut key":     {func(key string) error { return os.WriteFile(key, bytes.Repeat([]byte("a1"), 32), 0o600) }, "key damaged"},
		"another key": {func(key string) error { return os.WriteFile(key, append(bytes.Repeat([]byte("a1"), 32), '\n'), 0o600) }, "key differs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			queue := filepath.Join(h.dir, "queue", "queue.db")
			h.listen = "127.0.0.1:1"
			h.run(t, time.Hour)
			h.pay(t, before)
			_ = h.agent.Process.Kill() // the payments are in the journal alone
			_ = h.agent.Wait()
			key, err := os.ReadFile(filepath.Join(h.dir, "queue", "queue.key"))
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(filepath.Join(h.dir, "queue", "queue.key")); err != nil {
				t.Fatal(err)
			}
			h.listen = "127.0.0.1:0"
			stop := h.serve(t)
			h.run(t, time.Hour)
			h.pay(t, 1)
			h.until(t, "the payment and the event are stored", func(s *wire.StatusResponse) bool {
				l := s.GetLanes()[0]
				return l.GetNext() == 3 && l.GetAcked() == 2
			})
			h.stop(t)
			stop()
			aside := ""
			for _, e := range h.landed(t) {
				if a := e.GetAudit(); a.GetKind() == wire.AuditKind_AUDIT_KIND_QUEUE_SET_ASIDE {
					if aside != "" || a.GetFound() != tt.found || a.Saved == nil || a.GetSaved() != 0 || a.Missing != nil {
						t.Errorf("event = %v, after one of %q", a, aside)
					}
					aside = filepath.Join(h.dir, "queue", a.GetFile())
				}
			}
			if n := h.paid(t); n != 1 || !strings.HasPrefix(aside, queue+".without-key-") {
				t.Fatalf("%d payments are stored, want 1; set aside is %q", n, aside)
			}

			for _, suffix := range []string{"", ".journal"} {
				if err := os.Rename(aside+suffix, queue+suffix); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(h.dir, "queue", "queue.key"), key, 0o600); err != nil {
				t.Fatal(err)
			}
			stop = h.serve(t)
			h.run(t, time.Hour)
			h.until(t, "what was set aside is stored", delivered)
			h.stop(t)
			stop()
			if n := h.paid(t); n != 1+before {
				t.Errorf("%d payments are stored, want %d", n, 1+before)
			}
		})
	}
}

// delivered says that nothing of the ledger is left.
func delivered(s *wire.StatusResponse) bool {
	depth := uint64(0)
	for _, l := range s.GetLanes() {
		if l.GetLane() == wire.Lane_LANE_LEDGER {
			depth += l.GetDepth()
		}
	}
	return depth == 0 && s.GetUplink().GetState() == wire.UplinkState_UPLINK_STATE_ONLINE
}

// paid returns how many payments the backend has.
func (h *house) paid(t *testing.T) (n int) {
	t.Helper()
	for _, e := range h.landed(t) {
		if e.GetPayment() != nil {
			n++
		}
	}
	return n
}

// A damaged key without a queue is told of by its own name.
func TestDamagedKeyWithoutAQueue(t *testing.T) {
	a := &agent{log: zerolog.Nop()}
	dir := t.TempDir()
	a.cfg.Queue.Path, a.cfg.Queue.KeyFile = filepath.Join(dir, "queue.db"), filepath.Join(dir, "queue.key")
	if err := os.WriteFile(a.cfg.Queue.KeyFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.queueKey(); err != nil {
		t.Fatal(err)
	}
	if len(a.unopened) != 1 || a.unopened[0].found != keyDamaged || !strings.HasPrefix(a.unopened[0].path, a.cfg.Queue.KeyFile+".damaged-") {
		t.Errorf("told of %v", a.unopened)
	}
	if kept, err := os.ReadFile(a.unopened[0].path); string(kept) != "garbage" {
		t.Errorf("the damaged key was not kept: %q, %v", kept, err)
	}
}

// What keeps the agent from starting comes with what to do about it.
func TestQueueThatCannotBeOpenedHasAHint(t *testing.T) {
	for name, cause := range map[string]error{"full": syscall.ENOSPC, "quota": syscall.EDQUOT, "read-only": syscall.EROFS, "denied": syscall.EACCES} {
		if f := cli.Explain(withDiskHint(&os.PathError{Op: "mkdir", Path: "/x", Err: cause}, "/x")); f.Hint == "" {
			t.Errorf("%s: no hint", name)
		}
	}
	a := &agent{log: zerolog.Nop()}
	dir := t.TempDir()
	a.cfg.Terminal.ID = "t-1"
	a.cfg.Queue.Path, a.cfg.Queue.KeyFile, a.cfg.Queue.MaxSize = filepath.Join(dir, "queue.db"), filepath.Join(dir, "queue.key"), 4<<20
	q, err := a.openQueue()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	a.cfg.Terminal.ID = "t-2"
	_, err = a.openQueue()
	if f := cli.Explain(err); !strings.Contains(f.Hint, buffer.JournalOf(a.cfg.Queue.Path)) {
		t.Errorf("another terminal's queue: %v, hint %q", err, f.Hint)
	}
}
