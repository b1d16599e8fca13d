package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// A terminal gets a new version while its disk is full: the queue file of the version before can't be migrated. The agent runs, and
// says so; the file stays where it is, and every record in it can be exported, beside the agent and without it. Once there is room,
// the same process migrates the file with the next payment, and sends all that was in it.
//
// In another SDK a migration that failed had all tables dropped, with the payments in them (stripe-terminal-android, issue 731).
func TestFailedMigrationDeletesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.listen = "127.0.0.1:0"
	stop := h.serve(t)
	stop() // it has a port now, where nobody listens yet
	if err := ca.IssueTerminal(filepath.Join(h.dir, "ca"), identity.ID{Merchant: "m-1", Terminal: "t-0001"}, h.dir); err != nil {
		t.Fatal(err)
	}
	queue := filepath.Join(h.dir, "queue")
	resize := smallDisk(t, queue, 64<<10) // the file and half a copy
	for _, name := range []string{"queue.db", "queue.key"} {
		copyInto(t, filepath.Join(queue, name), filepath.Join("../testdata/queue/format-1", name))
	}
	want := fixtureRecords(t)
	settings := strings.Replace(fmt.Sprintf(readings, h.dir, h.listen, h.sys, time.Hour), `"t-1"`, `"t-0001"`, 1)
	pay := []string{"payment", "record", "--key", "k", "--kind", "authorised", "--amount", "1", "--currency", "EUR"}

	h.start(t, settings)
	h.until(t, "the agent says that the disk is full", func(s *wire.StatusResponse) bool { return strings.Contains(s.GetQueue().GetFault(), "no room left") })
	if out, err := h.command(t, pay...); err == nil {
		t.Errorf("a payment was taken: %s", out)
	} else if !strings.Contains(out, "full") || !strings.Contains(out, "hint: ") {
		t.Errorf("of a payment it was said: %s", out)
	}
	if out, err := h.command(t, "queue", "export", "--out", filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(out, "--file") {
		t.Errorf("the agent exports nothing, and says %s", out)
	}
	h.exports(t, "while the agent runs", want)
	if err := h.agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.agent.Wait()
	h.exports(t, "when the agent has ended", want)

	h.start(t, settings)
	resize(8 << 20)
	h.until(t, "a payment is taken", func(*wire.StatusResponse) bool { _, err := h.command(t, pay...); return err == nil })
	h.until(t, "the file is migrated", func(s *wire.StatusResponse) bool { return s.GetQueue().GetFault() == "" })
	if out, err := h.command(t, "queue", "list"); err != nil || !strings.Contains(out, "format 3") {
		t.Errorf("the queue is %s, %v", out, err)
	}
	stop = h.serve(t)
	if out, err := h.command(t, "flush", "--wait", "--timeout", "30s"); err != nil {
		t.Errorf("it is not sent: %v, %s", err, out)
	}
	h.stop(t)
	stop()
	landed := map[string]int{}
	for _, e := range h.landed(t) {
		if p := e.GetPayment(); p != nil {
			landed[p.GetIdempotencyKey()]++
		}
	}
	want["k"] = true
	for key := range want {
		if landed[key] != 1 {
			t.Errorf("%s has landed %d times", key, landed[key])
		}
	}
}

// fixtureRecords returns the keys of the payments that wait in the fixture of format 1.
func fixtureRecords(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../testdata/queue/format-1/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Lanes []struct {
			Lane    string
			Records []struct{ Payload string }
		}
	}
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, l := range expected.Lanes {
		for _, r := range l.Records {
			event := new(wire.Event)
			payload, err := hex.DecodeString(r.Payload)
			if l.Lane != "ledger" {
				continue
			}
			if err := errors.Join(err, proto.Unmarshal(payload, event)); err != nil {
				t.Fatal(err)
			}
			if p := event.GetPayment(); p != nil {
				keys[p.GetIdempotencyKey()] = true
			}
		}
	}
	if len(keys) < 10 {
		t.Fatalf("the fixture has %d payments", len(keys))
	}
	return keys
}

// exports fails the test unless an export of the ledger has every payment.
func (h *house) exports(t *testing.T, when string, want map[string]bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "all.jsonl")
	if out, err := h.command(t, "queue", "export", "--file", filepath.Join(h.dir, "queue", "queue.db"), "--lane", "ledger", "--out", file); err != nil {
		t.Errorf("%s nothing can be exported: %v, %s", when, err, out)
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if !bytes.Contains(text, []byte(`"`+key+`"`)) {
			t.Errorf("%s %s is not exported", when, key)
		}
	}
}

// command runs one of the program's commands with the house's settings, and returns all that it says.
func (h *house) command(t *testing.T, args ...string) (said string, err error) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Args = append(append([]string{"stampd"}, args...), "--config", filepath.Join(h.dir, "stampd.toml"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// smallDisk makes a folder on a file system of its own that takes size bytes, and returns what gives it another size.
func smallDisk(t *testing.T, dir string, size int64) (resize func(int64)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a file system is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(size int64) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatal(err)
		}
	}
}

func copyInto(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
