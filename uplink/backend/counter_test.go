package backend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// counter is a terminal with all that the agent puts together for payments and stamps: a queue, a ledger on it and an uplink, over a
// link of its own. Its clock is set by the test, and runs on.
type counter struct {
	*ledger.Ledger
	t      *testing.T
	name   string
	dir    string
	link   *link
	queue  *buffer.Queue
	client *uplink.Client
	off    func() // ends the uplink
	opts   uplink.Options

	mu      sync.Mutex    // guards everything below
	wrong   time.Duration // how far the wall clock is ahead
	skipped time.Duration // time that has passed, beside what did
	booted  time.Time
	boot    byte
	trusted bool // the wall clock was checked

	alarms []*wire.Audit
}

// newCounter makes a terminal of the merchant m1, and connects it to a backend at addr.
func newCounter(t *testing.T, o Options, name string, l *link) *counter {
	t.Helper()
	c := &counter{t: t, name: name, dir: t.TempDir(), link: l, booted: time.Now().Add(-time.Hour), boot: 1, trusted: true}
	out, id := t.TempDir(), identity.ID{Merchant: "m1", Terminal: name}
	if err := ca.IssueTerminal(filepath.Dir(o.CAFile), id, out); err != nil {
		t.Fatal(err)
	}
	c.opts = uplink.Options{
		Backend: l.addr(), Identity: id, AgentVersion: "1",
		TLS: uplink.Files{
			Cert: filepath.Join(out, ca.TerminalCertFile), Key: filepath.Join(out, ca.TerminalKeyFile), CA: o.CAFile, ServerName: "127.0.0.1",
		},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: 50 * time.Millisecond,
		StallAfter: time.Minute, Keepalive: time.Minute, Log: zerolog.Nop(),
		Alarm: func(a *wire.Audit) { c.mu.Lock(); defer c.mu.Unlock(); c.alarms = append(c.alarms, a) },
	}
	c.start()
	t.Cleanup(func() { c.off(); _ = c.queue.Close() })
	return c
}

// start does what the agent does at its start.
func (c *counter) start() {
	c.t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		c.t.Fatal(err)
	}
	c.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(c.dir, "queue.db"), Terminal: c.name, Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	boot := make([]byte, 16)
	boot[0] = c.boot
	clock := hal.NewClockOf(hal.ClockSources{BootID: boot, Wall: c.wall, SinceBoot: c.sinceBoot, Synchronised: c.checked})
	c.Ledger, err = ledger.New(ledger.Options{
		Queue: c.queue, Guard: pci.NewGuard(block.Encode), Terminal: c.name, Programme: counterProgramme, Refs: pci.NewRefKey([32]byte{2}), Clock: clock,
		Online: func() bool { return c.client.Online() },
		Ask: func(ctx context.Context, r *wire.LeaseRequest) (*wire.LeaseAnswer, error) {
			return c.client.RequestLease(ctx, r)
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	o := c.opts
	o.Queue, o.Clock, o.Cards = c.queue, clock, c.Ledger
	c.client = uplink.New(o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = c.client.Run(ctx) })
	c.off = sync.OnceFunc(func() { cancel(); running.Wait() })
}

// kill ends the terminal without a chance to write anything, and starts it again from what is on its disk.
func (c *counter) kill() {
	c.t.Helper()
	c.off()
	fresh := c.t.TempDir()
	for _, name := range []string{"queue.db", "queue.db.journal"} {
		copyFile(c.t, filepath.Join(c.dir, name), filepath.Join(fresh, name))
	}
	_ = c.queue.Close()
	if err := os.RemoveAll(c.dir); err != nil {
		c.t.Fatal(err)
	}
	c.dir = fresh
	c.start()
}

// reboot is a kill after which the time since boot begins anew.
func (c *counter) reboot() {
	c.mu.Lock()
	c.boot++
	c.booted, c.skipped = time.Now(), 0
	c.mu.Unlock()
	c.kill()
}

func (c *counter) wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.wrong)
}

func (c *counter) sinceBoot() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.booted) + c.skipped, true
}

func (c *counter) checked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted
}

// set sets the wall clock, and says whether it is trusted from now on.
func (c *counter) set(wrong time.Duration, trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong, c.trusted = wrong, trusted
}

// sent waits until the backend has everything.
func (c *counter) sent() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	if waiting, complete := c.client.Flush(ctx); !complete {
		c.t.Fatalf("%s: %d records are waiting: %v", c.name, waiting, c.client.Status())
	}
}

// verify closes the terminal and looks at its file.
func (c *counter) verify() {
	c.t.Helper()
	c.off()
	if err := c.queue.Close(); err != nil {
		c.t.Fatal(err)
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		c.t.Fatal(err)
	}
	f, err := buffer.OpenReadOnly(filepath.Join(c.dir, "queue.db"), keys)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	ledger.Verify(f, func(found buffer.Finding) { c.t.Errorf("%s: %v", c.name, found) })
}

// counterProgramme lets each terminal give one reward a day to a member, and few in all, at the merchant's risk.
var counterProgramme = loyalty.Programme{
	ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 9, MinGap: new(time.Duration), FloorPerAccountDay: 1, FloorTotal: 20,
}

func phoneAt(i int) string { return fmt.Sprintf("+1415555%04d", 100+i) }

func memberAt(i int) *wire.Member { return &wire.Member{Phone: phoneAt(i)} }

// accountAt returns the account of a phone.
func accountAt(t *testing.T, i int) loyalty.Ref {
	t.Helper()
	ref, err := pci.NewRefKey([32]byte{2}).Account(phoneAt(i))
	if err != nil {
		t.Fatal(err)
	}
	return loyalty.Ref(ref)
}
