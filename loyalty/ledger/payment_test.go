package ledger_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty/ledger"
	rules "github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// step makes a step of a payment in EUR; without an original it is the first.
func step(key, original string, kind wire.PaymentKind, minor int64) *wire.Payment {
	return &wire.Payment{IdempotencyKey: key, OriginalKey: original, Kind: kind, AmountMinor: minor, Currency: "EUR"}
}

const (
	authorised = wire.PaymentKind_PAYMENT_KIND_AUTHORISED
	captured   = wire.PaymentKind_PAYMENT_KIND_CAPTURED
	refunded   = wire.PaymentKind_PAYMENT_KIND_REFUNDED
	voided     = wire.PaymentKind_PAYMENT_KIND_VOIDED
	stored     = wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED
	forwarded  = wire.PaymentKind_PAYMENT_KIND_FORWARDED
)

func TestThirdRefundIsFlaggedAndKept(t *testing.T) {
	dir := t.TempDir()
	tm := newTerminal(t, dir)
	record(t, tm, step("a", "", authorised, 1250))
	record(t, tm, step("c", "a", captured, 1250))
	for i, minor := range []int64{300, 300, 700} {
		if i == 2 { // what was refunded outlives a restart
			if err := tm.queue.Close(); err != nil {
				t.Fatal(err)
			}
			tm = newTerminal(t, dir)
		}
		p := step(fmt.Sprint("r", i), "c", refunded, minor)
		answer := record(t, tm, p)
		want := []wire.PaymentAnomaly(nil)
		if i == 2 {
			want = []wire.PaymentAnomaly{wire.PaymentAnomaly_PAYMENT_ANOMALY_REFUND_OVER_CAPTURED}
		}
		if !slices.Equal(answer.GetAnomalies(), want) {
			t.Errorf("refund %d: %v, want %v", i, answer.GetAnomalies(), want)
		}
		again := record(t, tm, p)
		if !again.GetDuplicate() || again.GetSeq() != answer.GetSeq() || !slices.Equal(again.GetAnomalies(), want) {
			t.Errorf("refund %d again: %v", i, again)
		}
	}
	epochs := tm.epochs(t)
	if last := epochs[len(epochs)-1]; len(last) != 1 || last[0].GetPayment().GetIdempotencyKey() != "r2" || len(last[0].GetPayment().GetAnomalies()) != 1 {
		t.Errorf("recorded after the restart: %v", last)
	}
}

func TestVoidOfUnknownIsKept(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	answer := record(t, tm, step("v", "made-elsewhere", voided, 5))
	if want := []wire.PaymentAnomaly{wire.PaymentAnomaly_PAYMENT_ANOMALY_ORIGINAL_UNKNOWN}; !slices.Equal(answer.GetAnomalies(), want) {
		t.Errorf("got %v", answer.GetAnomalies())
	}
	if n := len(tm.records(t)); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestModeIsRecordedAndAnswered(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	p := step("o", "", stored, 1250)
	p.AuthMode = wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD
	if answer := record(t, tm, p); answer.GetAuthMode() != p.AuthMode || tm.records(t)[0].GetPayment().GetAuthMode() != p.AuthMode {
		t.Errorf("answer %v, record %v", answer, tm.records(t)[0])
	}
	p.AuthMode = wire.AuthMode_AUTH_MODE_ONLINE
	if _, err := tm.RecordPayment(t.Context(), &wire.RecordPaymentRequest{Payment: p}); !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("another mode under the key: %v", err)
	}
}

func TestCurrenciesDoNotMix(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	for i, currency := range []string{"JPY", "EUR", "EUR", "KWD"} {
		p := step(fmt.Sprint(i), "", stored, 1250)
		p.Currency = currency
		record(t, tm, p)
	}
	got, _, err := tm.StoredPayments()
	if want := map[string]int64{"JPY": 1250, "EUR": 2500, "KWD": 1250}; err != nil || got.Count != 4 || !maps.Equal(got.Totals, want) {
		t.Errorf("got %+v, %v; want %v", got, err, want)
	}
}

// What a terminal finds step by step is what the rules find in all of its records, in whatever order the kinds came.
func TestTerminalFindsWhatTheRulesFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	tm := newTerminal(t, dir)
	for i := range 400 {
		p := step(fmt.Sprint("k", i), "", wire.PaymentKind(1+rng.IntN(12)), rng.Int64N(1000))
		p.AuthMode = wire.AuthMode(rng.IntN(4))
		if rng.IntN(8) == 0 {
			p.Currency = "USD"
		}
		if rng.IntN(4) > 0 {
			p.OriginalKey = fmt.Sprint("k", max(0, i-10)+rng.IntN(12))
		}
		record(t, tm, p)
		if i%150 == 149 {
			if err := tm.queue.Close(); err != nil {
				t.Fatal(err)
			}
			tm = newTerminal(t, dir)
		}
	}
	var steps []rules.Step
	recorded := map[string][]rules.Anomaly{}
	for epoch, events := range tm.epochs(t) {
		for seq, e := range events {
			p := e.GetPayment()
			steps = append(steps, rules.Step{
				Epoch: uint64(epoch), Seq: uint64(seq), Key: p.GetIdempotencyKey(), Original: p.GetOriginalKey(),
				Kind: rules.Kind(p.GetKind()), Mode: rules.Mode(p.GetAuthMode()), Minor: p.GetAmountMinor(), Currency: p.GetCurrency(),
			})
			for _, a := range p.GetAnomalies() {
				recorded[p.GetIdempotencyKey()] = append(recorded[p.GetIdempotencyKey()], rules.Anomaly(a))
			}
		}
	}
	if len(steps) != 400 {
		t.Fatalf("%d steps", len(steps))
	}
	rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	_, anomalies := rules.Fold(steps)
	if !maps.EqualFunc(recorded, anomalies, slices.Equal) {
		t.Errorf("recorded %v, the rules find %v", recorded, anomalies)
	}
	tm.verify(t, dir)
}

// epochs returns the events of each ledger epoch, in their order.
func (tm terminal) epochs(t *testing.T) (all [][]*wire.Event) {
	t.Helper()
	for _, lane := range tm.queue.Lanes() {
		if lane.Lane != buffer.Ledger {
			continue
		}
		var events []*wire.Event
		records, err := tm.queue.Read(lane.LaneID, 1, 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			e := new(wire.Event)
			if err := proto.Unmarshal(r.Payload, e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
		all = append(all, events)
	}
	return all
}

// verify closes the queue and looks at every row.
func (tm terminal) verify(t *testing.T, dir string) {
	t.Helper()
	if err := tm.queue.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := buffer.OpenReadOnly(filepath.Join(dir, "queue.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ledger.Verify(f, func(f buffer.Finding) { t.Error(f) })
}

// A payment that was stored before the step that it names is found when it is forwarded.
func TestStoredBeforeItsOriginal(t *testing.T) {
	dir := t.TempDir()
	tm := newTerminal(t, dir)
	record(t, tm, step("s", "x", stored, 5))
	record(t, tm, step("x", "y", wire.PaymentKind_PAYMENT_KIND_TIMED_OUT, 5))
	record(t, tm, step("t", "", stored, 7))
	if got, _, err := tm.StoredPayments(); err != nil || got.Count != 2 {
		t.Errorf("before: %+v, %v", got, err)
	}
	record(t, tm, step("f", "s", forwarded, 5))
	if got, _, err := tm.StoredPayments(); err != nil || got.Count != 1 || got.Totals["EUR"] != 7 {
		t.Errorf("after: %+v, %v", got, err)
	}
	tm.verify(t, dir)
}

// Each limit is told of once, in the lane of the payments, and a restart does not tell of it again.
func TestLimitsAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	limits := rules.Limits{Amounts: map[string]int64{"EUR": 1000}, Count: 10, Totals: map[string]int64{"EUR": 8000}}
	open := func() terminal {
		tm := newTerminal(t, dir)
		tm.Limits = limits
		return tm
	}
	tm := open()
	var told []string
	for i := range 10 {
		answer := record(t, tm, step(fmt.Sprint("o", i), "", stored, 800))
		if r := answer.GetRisk(); r.GetStoredCount() != uint32(i+1) || r.GetStoredTotalMinor() != 800*int64(i+1) || r.OfflineSinceUnixMs == nil || r.GetLimits()[0].GetPercent() != 80 {
			t.Errorf("risk after %d: %v", i+1, r)
		}
		if i == 5 {
			if err := tm.queue.Close(); err != nil {
				t.Fatal(err)
			}
			tm = open()
		}
	}
	if err := tm.WatchLimits(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if answer := record(t, tm, step(fmt.Sprint("f", i), fmt.Sprint("o", i), forwarded, 800)); answer.GetRisk() != nil || len(answer.GetAnomalies()) > 0 {
			t.Errorf("forwarded: %v", answer)
		}
	}
	for _, events := range tm.epochs(t) {
		for _, e := range events {
			if l := e.GetPaymentLimit(); l != nil {
				told = append(told, fmt.Sprintf("%v %s %d: %d of %d", l.GetKind(), l.GetCurrency(), l.GetPercent(), l.GetUsed(), l.GetAllowed()))
			}
		}
	}
	const count, total = "PAYMENT_LIMIT_KIND_COUNT ", "PAYMENT_LIMIT_KIND_TOTAL EUR"
	want := []string{
		count + " 50: 5 of 10", total + " 50: 4000 of 8000", count + " 80: 8 of 10", total + " 80: 6400 of 8000", count + " 100: 10 of 10", total + " 100: 8000 of 8000",
		count + " 80: 8 of 10", total + " 80: 6400 of 8000", count + " 50: 6 of 10", total + " 50: 4800 of 8000", count + " 0: 3 of 10", total + " 0: 2400 of 8000",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if got, levels, err := tm.StoredPayments(); err != nil || got.Count != 0 || len(levels) != 0 || got.Oldest != 0 {
		t.Errorf("at the end %+v, %v, %v", got, levels, err)
	}
	tm.verify(t, dir)
}

// The age of the oldest grows without a call, and a clock that is set makes nobody older.
func TestAgeIsWatchedByTheClockThatNobodySets(t *testing.T) {
	wall, boot := time.Date(1970, 1, 1, 0, 0, 10, 0, time.UTC), time.Minute
	tm := newTerminal(t, t.TempDir())
	tm.Limits = rules.Limits{Age: 24 * time.Hour}
	tm.Clock = hal.NewClockOf(hal.ClockSources{
		BootID: make([]byte, 16), Wall: func() time.Time { return wall }, SinceBoot: func() (time.Duration, bool) { return boot, true },
		Synchronised: func() bool { return false },
	})
	tm.Clock.ClockSources.BootID[0] = 7
	record(t, tm, step("o", "", stored, 5))
	tell := func(name string, want ...uint32) {
		t.Helper()
		for range 2 {
			if err := tm.WatchLimits(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var got []uint32
		for _, e := range tm.records(t) {
			if l := e.GetPaymentLimit(); l != nil {
				got = append(got, l.GetPercent())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %v, want %v", name, got, want)
		}
	}
	wall = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	tell("from 1970 to 2026")
	boot += 12 * time.Hour
	tell("after 12 hours", 50)
	wall = wall.Add(-100 * time.Hour)
	boot += 8 * time.Hour
	tell("after 20 hours, and the clock went back", 50, 80)
	boot += 100 * time.Hour
	tell("after days", 50, 80, 100)
	record(t, tm, step("p", "", stored, 5))
	record(t, tm, step("f", "o", forwarded, 5))
	tell("a younger one is the oldest", 50, 80, 100, 0)
}

func TestEMVDataIsRecordedByTheList(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	p := step("a", "", authorised, 1250)
	p.Emv = []byte("\x9F\x26\x08\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x5F\x24\x03\x26\x12\x31\x9C\x01\x00")
	p.Card = &wire.PaymentCard{Last4: "4242", Bin6: "424242"}
	before := proto.CloneOf(p)
	record(t, tm, p)
	if !proto.Equal(p, before) {
		t.Error("the request was changed")
	}
	if again := record(t, tm, p); !again.GetDuplicate() {
		t.Error("the same again is no duplicate")
	}
	got := tm.records(t)[0].GetPayment()
	if string(got.GetEmv()) != "\x9F\x26\x08\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18\x9C\x01\x00" || got.GetEmvDropped() != 1 || got.GetCard().GetBin6() != "" {
		t.Errorf("recorded %v", got)
	}
	tm.KeepBIN6 = true
	p.IdempotencyKey = "b"
	record(t, tm, p)
	if got := tm.records(t)[1].GetPayment(); got.GetCard().GetBin6() != "424242" {
		t.Errorf("recorded %v", got)
	}
	for name, emv := range map[string]string{
		"track": "\x57\x02\x00\xD0", "number": "\x5A\x08\x42\x42\x42\x42\x42\x42\x42\x42", "PIN": "\x99\x01\x00",
	} {
		p.IdempotencyKey, p.Emv = name, []byte(emv)
		var bad *pci.Violation
		if _, err := tm.RecordPayment(t.Context(), &wire.RecordPaymentRequest{Payment: p}); !errors.As(err, &bad) || bad.Field != "payment.emv" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPaymentFieldsThatAreNotTheCallers(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	for field, change := range map[string]func(*wire.Payment){
		"emv":          func(p *wire.Payment) { p.Emv = []byte("\x9C\x02\x00") },
		"emv_dropped":  func(p *wire.Payment) { p.EmvDropped = proto.Uint32(0) },
		"anomalies":    func(p *wire.Payment) { p.Anomalies = []wire.PaymentAnomaly{1} },
		"anomalies[1]": func(p *wire.Payment) { p.Anomalies = []wire.PaymentAnomaly{1, 99} },
		"risk":         func(p *wire.Payment) { p.Risk = &wire.PaymentRisk{} },
		"batch_no":     func(p *wire.Payment) { p.BatchNo = "1234567" },
		"acquirer_ref": func(p *wire.Payment) { p.AcquirerRef = "1234567890123" },
		"card.bin6":    func(p *wire.Payment) { p.Card = &wire.PaymentCard{Bin6: "42424242"} },
		"card.funding": func(p *wire.Payment) { p.Card = &wire.PaymentCard{Funding: 9} },
		"base_minor":   func(p *wire.Payment) { p.BaseMinor = proto.Int64(1251) },
		"amount_minor": func(p *wire.Payment) { p.BaseMinor, p.TipMinor = proto.Int64(1000), proto.Int64(249) },
	} {
		req := payment1250()
		change(req.Payment)
		var invalid *ledger.Invalid
		if _, err := tm.RecordPayment(t.Context(), req); !errors.As(err, &invalid) || invalid.Field != "payment."+field {
			t.Errorf("%s: %v", field, err)
		}
	}
	good := payment1250()
	good.Payment.BaseMinor, good.Payment.TipMinor, good.Payment.SurchargeMinor = proto.Int64(1000), proto.Int64(200), proto.Int64(50)
	if _, err := tm.RecordPayment(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func payment1250() *wire.RecordPaymentRequest {
	return &wire.RecordPaymentRequest{Payment: step("k", "", authorised, 1250)}
}

// The rules know nothing of the schema, and have its numbers.
func TestNumbersAreThoseOfTheSchema(t *testing.T) {
	for _, tt := range []struct {
		schema protoreflect.EnumDescriptor
		last   int
	}{
		{wire.PaymentKind(0).Descriptor(), int(rules.Expired)},
		{wire.AuthMode(0).Descriptor(), int(rules.StoreAndForward)},
		{wire.PaymentAnomaly(0).Descriptor(), int(rules.AuthModeDiffers)},
		{wire.PaymentLimitKind(0).Descriptor(), int(rules.Age)},
	} {
		if n := tt.schema.Values().Len(); n != tt.last+1 {
			t.Errorf("%s has %d values, and the rules know %d", tt.schema.Name(), n, tt.last+1)
		}
	}
	for name, same := range map[string]bool{
		"stored":        wire.PaymentKind(rules.OfflineStored) == stored,
		"forwarded":     wire.PaymentKind(rules.Forwarded) == forwarded,
		"captured":      wire.PaymentKind(rules.Captured) == captured,
		"refunded":      wire.PaymentKind(rules.Refunded) == refunded,
		"voided":        wire.PaymentKind(rules.Voided) == voided,
		"reversed":      wire.PaymentKind(rules.Reversed) == wire.PaymentKind_PAYMENT_KIND_REVERSED,
		"timed out":     wire.PaymentKind(rules.TimedOut) == wire.PaymentKind_PAYMENT_KIND_TIMED_OUT,
		"over captured": wire.PaymentAnomaly(rules.RefundOverCaptured) == wire.PaymentAnomaly_PAYMENT_ANOMALY_REFUND_OVER_CAPTURED,
		"currency":      wire.PaymentAnomaly(rules.CurrencyDiffers) == wire.PaymentAnomaly_PAYMENT_ANOMALY_CURRENCY_DIFFERS,
		"online":        wire.AuthMode(rules.Online) == wire.AuthMode_AUTH_MODE_ONLINE,
		"total":         wire.PaymentLimitKind(rules.Total) == wire.PaymentLimitKind_PAYMENT_LIMIT_KIND_TOTAL,
	} {
		if !same {
			t.Errorf("%s has another number", name)
		}
	}
}
