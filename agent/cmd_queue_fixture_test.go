package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// makeFixture makes a new folder in testdata/queue, with a queue file as this version writes it.
var makeFixture = flag.String("make-fixture", "", "make testdata/queue/`NAME`, such as format-2")

// TestMakeFixture is how the folders of testdata/queue are made. One that is there is never made again: it is what a
// released version wrote.
func TestMakeFixture(t *testing.T) {
	if *makeFixture == "" {
		t.Skip("makes a fixture with -make-fixture NAME")
	}
	dir := filepath.Join("../testdata/queue", *makeFixture)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := fixture{dir: t.TempDir(), clock: fixtureClock(t)}
	key := fmt.Sprintf("%064x\n", 0x5a)
	if err := os.WriteFile(filepath.Join(dir, "queue.key"), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := pci.LoadKey(filepath.Join(dir, "queue.key"))
	if err != nil {
		t.Fatal(err)
	}
	if f.keys, err = pci.NewSealer(loaded); err != nil {
		t.Fatal(err)
	}
	f.first(t)
	f.second(t)
	f.third(t)
	copyJournal(t, buffer.JournalOf(filepath.Join(f.dir, "queue.db")), buffer.JournalOf(filepath.Join(dir, "queue.db")))
	shrink(t, filepath.Join(f.dir, "queue.db"), filepath.Join(dir, "queue.db"))
}

// fixture is a queue in the making.
type fixture struct {
	dir   string
	keys  *pci.Sealer
	clock *hal.Clock
	guard *pci.Guard

	queue  *buffer.Queue
	ledger *ledger.Ledger
}

// fixtureClock tells this machine's time and no machine's boot id.
func fixtureClock(t *testing.T) *hal.Clock {
	t.Helper()
	proc := t.TempDir()
	if err := os.MkdirAll(filepath.Join(proc, "sys/kernel/random"), 0o755); err != nil {
		t.Fatal(err)
	}
	id := []byte("00112233-4455-6677-8899-aabbccddeeff\n")
	if err := os.WriteFile(filepath.Join(proc, "sys/kernel/random/boot_id"), id, 0o644); err != nil {
		t.Fatal(err)
	}
	return hal.NewClock(proc)
}

func (f *fixture) open(t *testing.T) {
	t.Helper()
	var err error
	f.guard = pci.NewGuard(block.Encode)
	f.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(f.dir, "queue.db"), Terminal: "t-0001", Keys: f.keys, MaxSize: 4 << 20, LedgerReserve: 2 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.ledger, err = ledger.New(ledger.Options{
		Queue: f.queue, Guard: f.guard, Clock: f.clock, Terminal: "t-0001",
		Programme: loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 4, MinGap: new(time.Duration)},
		Refs:      pci.NewRefKey([32]byte{2}),
		Online:    func() bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// first is the first opening of the file: 12 payments, 6 stamps on 3 cards, a security event and 4 blocks of readings.
// The backend has the first 4 records of the ledger, of which it refused one, and 1 block, which it refused.
func (f *fixture) first(t *testing.T) {
	t.Helper()
	f.open(t)
	for i := range 12 {
		f.pay(t, fmt.Sprintf("order-%d/payment", i), wire.PaymentKind(1+i), int64(1250+i))
		if i%2 == 0 {
			f.stamp(t, fmt.Sprintf("order-%d/stamp", i), i%3, int32(1+i%4))
		}
	}
	uid := uint32(1000)
	f.audit(t, &wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_PAN_DETECTED, Subject: "payment.order_ref", Found: "pan", CallerUid: &uid})
	f.read(t, 4, 3)
	for _, l := range f.queue.Lanes() {
		through, reject := uint64(4), uint64(3)
		if l.Lane == buffer.Telemetry {
			through, reject = 1, 1
		}
		if err := f.queue.Ack(t.Context(), l.LaneID, through, []buffer.Reject{{Seq: reject, Reason: 2}}); err != nil {
			t.Fatal(err)
		}
	}
	f.close(t)
}

// second is the second opening: 3 payments, 1 stamp, and 2 blocks.
func (f *fixture) second(t *testing.T) {
	t.Helper()
	f.open(t)
	for i := range 3 {
		f.pay(t, fmt.Sprintf("evening-%d/payment", i), wire.PaymentKind_PAYMENT_KIND_CAPTURED, 1_000_000_000_000-int64(i))
	}
	f.stamp(t, "evening-0/stamp", 1, 2)
	f.read(t, 2, 20)
	f.close(t)
}

// third is the third opening, without readings: what follows its first payment stays in the journal.
func (f *fixture) third(t *testing.T) {
	t.Helper()
	f.open(t)
	for i := range 3 {
		f.pay(t, fmt.Sprintf("late-%d/payment", i), wire.PaymentKind_PAYMENT_KIND_REFUNDED, 990)
	}
	f.stamp(t, "late-0/stamp", 3, 4)
	f.members(t)
	f.close(t)
}

// members has one enrolled, with a payment card, and one whose stamps are taken back; one asks for a reward, and one is forgotten.
func (f *fixture) members(t *testing.T) {
	t.Helper()
	ok := func(_ *wire.EntryResponse, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, member := t.Context(), &wire.Member{Phone: "+14155550102"}
	ok(f.ledger.EnrolMember(ctx, &wire.EnrolMemberRequest{IdempotencyKey: "enrol", Phone: "+14155550102", Consents: []*wire.Consent{{Purpose: 1}}}))
	ok(f.ledger.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: "link", Phone: "+14155550102", Token: "tok_9fK2mQ7LxT4vB1nR8sYd"}))
	for i := range 3 {
		f.stamp(t, fmt.Sprintf("many-%d", i), 2, 4)
	}
	ok(f.ledger.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: "hold", Member: member, Hold: true}))
	ok(f.ledger.VoidEntry(ctx, &wire.VoidEntryRequest{IdempotencyKey: "void", AwardKey: "late-0/stamp"}))
	ok(f.ledger.EraseMember(ctx, &wire.EraseMemberRequest{IdempotencyKey: "erase", Member: &wire.Member{Phone: "+14155550109"}}))
}

func (f *fixture) close(t *testing.T) {
	t.Helper()
	if err := f.queue.Close(); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) pay(t *testing.T, key string, kind wire.PaymentKind, minor int64) {
	t.Helper()
	_, err := f.ledger.RecordPayment(t.Context(), &wire.RecordPaymentRequest{Payment: &wire.Payment{
		IdempotencyKey: key, Kind: kind, AmountMinor: minor, Currency: "EUR", Stan: "000123",
		Card: &wire.PaymentCard{Brand: "visa", Last4: "4242"},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) stamp(t *testing.T, key string, member int, stamps int32) {
	t.Helper()
	_, err := f.ledger.AwardStamps(t.Context(), &wire.AwardStampsRequest{
		IdempotencyKey: key, Phone: fmt.Sprintf("+1415555010%d", member), Stamps: &stamps,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) audit(t *testing.T, a *wire.Audit) {
	t.Helper()
	if err := f.ledger.Audit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// read puts blocks with so many readings of a battery each into the queue.
func (f *fixture) read(t *testing.T, blocks, readings int) {
	t.Helper()
	for b := range blocks {
		var events []pci.Clean
		for i := range readings {
			c, err := f.guard.Check(&wire.Event{Clock: f.clock.Now(), Body: &wire.Event_Battery{Battery: &wire.Battery{
				Name: "BAT0", CapacityPercent: new(uint32(90 - b)), VoltageUv: new(int64(3_900_000 - i)),
				TemperatureDecicelsius: new(int32(-5)),
			}}})
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, c)
		}
		c, err := f.guard.Pack(events)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.queue.AppendTelemetry(c); err != nil {
			t.Fatal(err)
		}
	}
}

// copyJournal copies a journal, whose size the file knows.
func copyJournal(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shrink copies a file without its free pages, as the queue itself does with a large one.
func shrink(t *testing.T, from, to string) {
	t.Helper()
	src, err := bolt.Open(from, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := bolt.Open(to, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		t.Fatal(err)
	}
	dst.AllocSize = 0 // not a byte more than is needed
	if err := bolt.Compact(dst, src, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}
