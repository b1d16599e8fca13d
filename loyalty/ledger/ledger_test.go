package ledger_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
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

const phone = "+14155551234"

// terminal is a ledger on a real queue.
type terminal struct {
	*ledger.Ledger
	queue *buffer.Queue
}

func newTerminal(t testing.TB, dir string) terminal {
	t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	q, err := buffer.Open(buffer.Options{
		Path: filepath.Join(dir, "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	l, err := ledger.New(ledger.Options{
		Queue:     q,
		Terminal:  "t-1",
		Guard:     pci.NewGuard(nil),
		Programme: loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 4, MinGap: new(time.Duration)},
		Refs:      pci.NewRefKey([32]byte{2}),
		Clock:     hal.NewClock("/proc"),
		Online:    func() bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	return terminal{l, q}
}

// records returns every event in the ledger lane.
func (tm terminal) records(t *testing.T) []*wire.Event {
	t.Helper()
	var events []*wire.Event
	id := tm.queue.Lanes()[0].LaneID
	for from := uint64(1); ; {
		records, err := tm.queue.Read(id, from, 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return events
		}
		for _, r := range records {
			e := new(wire.Event)
			if err := proto.Unmarshal(r.Payload, e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
			from = r.Seq + 1
		}
	}
}

func payment(key string, minor int64) *wire.RecordPaymentRequest {
	return &wire.RecordPaymentRequest{Payment: &wire.Payment{
		IdempotencyKey: key,
		Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		AmountMinor:    minor,
		Currency:       "EUR",
	}}
}

func award(key string, n int32) *wire.AwardStampsRequest {
	return &wire.AwardStampsRequest{IdempotencyKey: key, Phone: phone, Stamps: &n}
}

func TestSameKeyAndBodyGivesTheSameAnswerAndNothingNew(t *testing.T) {
	dir := t.TempDir()
	tm := newTerminal(t, dir)
	first, err := tm.RecordPayment(t.Context(), payment("k", 1250))
	if err != nil {
		t.Fatal(err)
	}
	stamped, err := tm.AwardStamps(t.Context(), award("k", 2))
	if err != nil {
		t.Fatalf("a stamp under a payment's key: %v; keys are scoped to the operation", err)
	}
	if err := tm.queue.Close(); err != nil {
		t.Fatal(err)
	}

	tm = newTerminal(t, dir) // the answer outlives a restart
	for range 3 {
		again, err := tm.RecordPayment(t.Context(), payment("k", 1250))
		if err != nil || !again.GetDuplicate() || again.GetSeq() != first.GetSeq() {
			t.Errorf("payment again: %v, %v; want the first answer, marked", again, err)
		}
		stampedAgain, err := tm.AwardStamps(t.Context(), award("k", 2))
		if err != nil || !stampedAgain.GetDuplicate() || !proto.Equal(stampedAgain.GetCard(), stamped.GetCard()) {
			t.Errorf("stamp again: %v, %v; want the first answer, marked", stampedAgain, err)
		}
	}
	if n := len(tm.records(t)); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

func TestSameKeyAndOtherBodyIsAConflict(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	if _, err := tm.RecordPayment(t.Context(), payment("k", 1250)); err != nil {
		t.Fatal(err)
	}
	if _, err := tm.RecordPayment(t.Context(), payment("k", 1251)); !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("1251 under the key of 1250: %v", err)
	}
	if _, err := tm.AwardStamps(t.Context(), award("k", 1)); err != nil {
		t.Fatal(err)
	}
	other := award("k", 1)
	other.Phone = "+442071838750"
	for name, req := range map[string]*wire.AwardStampsRequest{"more stamps": award("k", 2), "another member": other} {
		if _, err := tm.AwardStamps(t.Context(), req); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(tm.records(t)); n != 2 {
		t.Errorf("%d records, want 2: a conflict writes nothing", n)
	}
	card, err := tm.GetCard(t.Context(), &wire.GetCardRequest{Phone: phone})
	if err != nil || card.GetCard().GetStamps() != 1 {
		t.Errorf("card is %v, %v; want 1 stamp", card, err)
	}
}

func TestUnsetStampsMeansOne(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	if _, err := tm.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "k", Phone: phone}); err != nil {
		t.Fatal(err)
	}
	again, err := tm.AwardStamps(t.Context(), award("k", 1))
	if err != nil || !again.GetDuplicate() {
		t.Errorf("one stamp after an unset number: %v, %v; want a duplicate", again, err)
	}
}

func TestCardFollowsItsEntries(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	var last *wire.Card
	for i, n := range []int32{3, 3, 3, 3, 3, 3, 3, 4} { // L2 of the rules: 25 stamps at nine a reward
		answer, err := tm.AwardStamps(t.Context(), award(fmt.Sprint(i), n))
		if err != nil {
			t.Fatal(err)
		}
		last = answer.GetCard()
	}
	if last.GetStamps() != 25 || last.GetProgress() != 7 || last.GetEarned() != 2 || last.GetAvailable() != 2 || last.GetOf() != 9 {
		t.Errorf("card is %v, want 7 of 9 and 2 rewards", last)
	}
	if !last.GetOffline() {
		t.Error("the answer does not say that the uplink is down")
	}
	got, err := tm.GetCard(t.Context(), &wire.GetCardRequest{Phone: phone})
	if err != nil || got.GetCard().GetProgress() != 7 {
		t.Errorf("GetCard gives %v, %v", got, err)
	}
	unseen, err := tm.GetCard(t.Context(), &wire.GetCardRequest{Phone: "+442071838750"})
	if err != nil || unseen.GetCard().GetStamps() != 0 || unseen.GetCard().GetOf() != 9 {
		t.Errorf("a member never seen has %v, %v; want an empty card", unseen, err)
	}
	for _, e := range tm.records(t) {
		if s := e.GetStamp(); len(s.GetAccountRef()) != 32 || e.GetClock().WallUnixMs == nil {
			t.Errorf("recorded entry %v lacks its member or its clock", e)
		}
	}
}

// One key from many callers at once is one entry, and all hear the same.
func TestRaceForOneKey(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 64 {
		wg.Go(func() {
			answer, err := tm.AwardStamps(t.Context(), award("same", 1))
			if err != nil {
				t.Error(err)
				return
			}
			if answer.GetSeq() != 1 || answer.GetCard().GetStamps() != 1 {
				t.Errorf("answer is %v", answer)
			}
			mu.Lock()
			defer mu.Unlock()
			if !answer.GetDuplicate() {
				fresh++
			}
		})
	}
	wg.Wait()
	if fresh != 1 || len(tm.records(t)) != 1 {
		t.Errorf("%d fresh answers and %d records, want 1 of each", fresh, len(tm.records(t)))
	}
}

func TestInvalidRequestsAreRefusedByField(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	edit := func(change func(*wire.Payment)) func() error {
		return func() error {
			req := payment("k", 1250)
			change(req.Payment)
			_, err := tm.RecordPayment(t.Context(), req)
			return err
		}
	}
	long := string(make([]byte, 129))
	for _, c := range []struct {
		field, reason string
		call          func() error
	}{
		{"payment", ledger.ReasonMissing, func() error {
			_, err := tm.RecordPayment(t.Context(), &wire.RecordPaymentRequest{})
			return err
		}},
		{"payment.idempotency_key", ledger.ReasonMissing, edit(func(p *wire.Payment) { p.IdempotencyKey = "" })},
		{"payment.idempotency_key", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.IdempotencyKey = long })},
		{"payment.idempotency_key", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.IdempotencyKey = "käse" })},
		{"payment.kind", ledger.ReasonMissing, edit(func(p *wire.Payment) { p.Kind = 0 })},
		{"payment.kind", ledger.ReasonUnknown, edit(func(p *wire.Payment) { p.Kind = 99 })},
		{"payment.auth_mode", ledger.ReasonUnknown, edit(func(p *wire.Payment) { p.AuthMode = 99 })},
		{"payment.amount_minor", ledger.ReasonRange, edit(func(p *wire.Payment) { p.AmountMinor = -1 })},
		{"payment.amount_minor", ledger.ReasonRange, edit(func(p *wire.Payment) { p.AmountMinor = 1e12 + 1 })},
		{"payment.tip_minor", ledger.ReasonRange, edit(func(p *wire.Payment) { p.TipMinor = proto.Int64(1251) })},
		{"payment.amount_minor", ledger.ReasonRange, edit(func(p *wire.Payment) { p.TipMinor, p.SurchargeMinor = proto.Int64(1000), proto.Int64(1000) })},
		{"payment.cashback_minor", ledger.ReasonRange, edit(func(p *wire.Payment) { p.CashbackMinor = proto.Int64(-1) })},
		{"payment.currency", ledger.ReasonUnknown, edit(func(p *wire.Payment) { p.Currency = "eur" })},
		{"payment.currency", ledger.ReasonUnknown, edit(func(p *wire.Payment) { p.Currency = "" })},
		{"payment.stan", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.Stan = "12345" })},
		{"payment.rrn", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.Rrn = "12345678901-" })},
		{"payment.auth_code", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.AuthCode = "1234567" })},
		{"payment.response_code", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.ResponseCode = "0" })},
		{"payment.card.last4", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.Card = &wire.PaymentCard{Last4: "12345"} })},
		{"payment.card.token", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.Card = &wire.PaymentCard{Token: "123456"} })},
		{"payment.card.par", ledger.ReasonFormat, edit(func(p *wire.Payment) { p.Card = &wire.PaymentCard{Par: "5001"} })},
		{"stamps", ledger.ReasonRange, func() error { _, err := tm.AwardStamps(t.Context(), award("k", 5)); return err }},
		{"stamps", ledger.ReasonRange, func() error { _, err := tm.AwardStamps(t.Context(), award("k", 0)); return err }},
		{"stamps", ledger.ReasonRange, func() error { _, err := tm.AwardStamps(t.Context(), award("k", -1)); return err }},
		{"phone", "NO_REGION", func() error {
			_, err := tm.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "k", Phone: "4155551234"})
			return err
		}},
		{"phone", ledger.ReasonMissing, func() error { _, err := tm.GetCard(t.Context(), &wire.GetCardRequest{}); return err }},
	} {
		t.Run(c.field+" "+c.reason, func(t *testing.T) {
			var invalid *ledger.Invalid
			if err := c.call(); !errors.As(err, &invalid) {
				t.Fatalf("got %v, want *Invalid", err)
			}
			if invalid.Field != c.field || invalid.Reason != c.reason || invalid.Hint == "" {
				t.Errorf("got %+v", invalid)
			}
		})
	}
	if n := len(tm.records(t)); n != 0 {
		t.Errorf("%d records were stored", n)
	}
}

func TestCardNumberIsRefusedAndTheKeyStaysFree(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	req := payment("k", 1250)
	req.Payment.OrderRef = "4242 4242 4242 4242"
	var violation *pci.Violation
	if _, err := tm.RecordPayment(t.Context(), req); !errors.As(err, &violation) {
		t.Fatalf("got %v, want *pci.Violation", err)
	}
	if _, err := tm.RecordPayment(t.Context(), payment("k", 1250)); err != nil {
		t.Errorf("the corrected request: %v", err)
	}
}

func TestWithoutMemberKeyPaymentsGoOn(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	tm.Refs = nil
	if _, err := tm.AwardStamps(t.Context(), award("k", 1)); !errors.Is(err, ledger.ErrNoMemberKey) {
		t.Errorf("got %v, want ErrNoMemberKey", err)
	}
	if _, err := tm.RecordPayment(t.Context(), payment("k", 1250)); err != nil {
		t.Error(err)
	}
}
