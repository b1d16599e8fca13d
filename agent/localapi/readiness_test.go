package localapi

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

// readinessOf asks an agent what would work without the network, as curl does.
func (a *agent) readinessOf(t *testing.T) map[wire.OfflineCapability]*wire.CapabilityReadiness {
	t.Helper()
	got := a.post(t, a.http1(t), "OfflineReadiness", "{}")
	res := new(wire.OfflineReadinessResponse)
	if err := protojson.Unmarshal([]byte(got.body), res); err != nil || got.status != http.StatusOK {
		t.Fatalf("answer %d %s: %v", got.status, got.body, err)
	}
	all := map[wire.OfflineCapability]*wire.CapabilityReadiness{}
	for _, c := range res.GetCapabilities() {
		all[c.GetCapability()] = c
	}
	if len(all) != 3 || res.AsOfUnixMs == nil {
		t.Fatalf("capabilities %v as of %v", all, res.AsOfUnixMs)
	}
	return all
}

// store records payments that are stored at the merchant's risk.
func (a *agent) store(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, err := a.Ledger.RecordPayment(t.Context(), &wire.RecordPaymentRequest{Payment: &wire.Payment{
			IdempotencyKey: fmt.Sprintf("6b0f1a52-7c1e-4a57-9d3e-%012x", i), Kind: wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED,
			AuthMode: wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD, AmountMinor: 1250, Currency: "EUR",
			OrderRef: fmt.Sprintf("order-%d", i), Card: &wire.PaymentCard{Brand: "visa", Last4: "4242"},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

const (
	payments   = wire.OfflineCapability_OFFLINE_CAPABILITY_PAYMENTS
	stamps     = wire.OfflineCapability_OFFLINE_CAPABILITY_STAMPS
	redemption = wire.OfflineCapability_OFFLINE_CAPABILITY_REDEMPTION
)

func TestOfflineReadiness(t *testing.T) {
	dir := t.TempDir()
	battery := filepath.Join(dir, "class", "power_supply", "BAT0")
	for name, text := range map[string]string{"type": "Battery", "present": "1", "status": "Discharging", "capacity": "44", "time_to_empty_now": "9000"} {
		if err := os.MkdirAll(battery, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(battery, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := startOtherAgent(t, func(o *Options) {
		o.Ledger.Limits = payment.Limits{Count: 5, Age: 24 * time.Hour}
		o.Board = hal.Open(hal.Profile{SysRoot: dir})
	}, func(*Server) {})
	a.store(t, 0, 4)
	all := a.readinessOf(t)
	reason := func(what wire.OfflineCapability, code wire.ReadinessCode) *wire.ReadinessReason {
		for _, r := range all[what].GetReasons() {
			if r.GetCode() == code {
				return r
			}
		}
		t.Fatalf("%v says nothing of %v: %v", what, code, all[what])
		return nil
	}
	if r := reason(payments, wire.ReadinessCode_READINESS_CODE_LIMIT_COUNT); r.GetReadiness() != wire.Readiness_READINESS_DEGRADED || r.GetLeft() != 1 {
		t.Errorf("four of five: %v", r)
	}
	if r := reason(stamps, wire.ReadinessCode_READINESS_CODE_QUEUE_ROOM); r.GetReadiness() != wire.Readiness_READINESS_READY || r.GetLeft() < 10_000 {
		t.Errorf("room in an empty queue of 64 MiB: %v", r)
	}
	in := time.Until(time.UnixMilli(reason(payments, wire.ReadinessCode_READINESS_CODE_BATTERY).GetUntilUnixMs()))
	if in < 149*time.Minute || in > 151*time.Minute || all[payments].GetUntilUnixMs() != reason(stamps, wire.ReadinessCode_READINESS_CODE_BATTERY).GetUntilUnixMs() {
		t.Errorf("the battery lasts for %v, and payments are %v", in, all[payments])
	}
	if got := all[redemption].GetReadiness(); got != wire.Readiness_READINESS_NOT_READY {
		t.Errorf("redemption without a lease is %v", got)
	}

	a.store(t, 4, 5)
	if all = a.readinessOf(t); all[payments].GetReadiness() != wire.Readiness_READINESS_NOT_READY || all[stamps].GetReadiness() != wire.Readiness_READINESS_DEGRADED {
		t.Errorf("five of five: payments %v, stamps %v", all[payments], all[stamps])
	}
	if err := a.Queue.Close(); err != nil {
		t.Fatal(err)
	}
	for what, c := range a.readinessOf(t) {
		if c.GetReadiness() != wire.Readiness_READINESS_NOT_READY || c.GetReasons()[0].GetCode() != wire.ReadinessCode_READINESS_CODE_QUEUE {
			t.Errorf("without a queue %v is %v", what, c)
		}
	}
}

// Whoever has to make batteries known gives up, and what is unknown is told as that.
func TestReadinessWithoutTimeForTheBatteries(t *testing.T) {
	s := newServer(newOptions(t, t.TempDir()))
	defer s.stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := s.power.read(ctx, s.Board); got.Known {
		t.Errorf("power = %+v", got)
	}
	if got := s.power.read(t.Context(), s.Board); !got.Known {
		t.Errorf("later, power = %+v", got)
	}
}

// What nobody told the server is unknown, and never ready.
func TestReadinessOfAServerThatWasToldNothing(t *testing.T) {
	a := startOtherAgent(t, func(o *Options) { o.Keys = nil }, func(*Server) {})
	for what, c := range a.readinessOf(t) {
		found := false
		for _, r := range c.GetReasons() {
			found = found || r.GetCode() == wire.ReadinessCode_READINESS_CODE_QUEUE_KEY && r.GetReadiness() == wire.Readiness_READINESS_DEGRADED
		}
		if !found {
			t.Errorf("%v is %v", what, c)
		}
	}
}

// Alarms say what became not ready, once, and only with numbers that stand still.
func TestReadinessAlarms(t *testing.T) {
	ready := func() readiness.Facts {
		return readiness.Facts{
			Queue: readiness.Queue{Opened: true, Room: new(int64(1 << 30)), ReadOnly: new(false)}, MemberKey: readiness.Present,
			Programme: readiness.Present, Limits: payment.Limits{Count: 10, Age: 24 * time.Hour, Totals: map[string]int64{"EUR": 100}}, Stored: new(payment.Stored),
		}
	}
	tests := map[string]struct {
		change func(*readiness.Facts)
		want   []string // how each alarm begins
	}{
		"all is well":           {func(*readiness.Facts) {}, nil},
		"no room":               {func(f *readiness.Facts) { f.Queue.Room = new(int64) }, []string{"payments and stamps without the network: there is no room"}},
		"programme is missing":  {func(f *readiness.Facts) { f.Programme = readiness.Missing }, []string{"stamps without the network: the programme's rules"}},
		"told by another alarm": {func(f *readiness.Facts) { f.Queue.Fault, f.MemberKey = "broken", readiness.Missing }, nil},
		"half of a limit":       {func(f *readiness.Facts) { f.Stored.Count = 5 }, nil},
		"limits": {
			func(f *readiness.Facts) {
				f.Stored = &payment.Stored{Count: 8, Totals: map[string]int64{"EUR": 100}, Oldest: 20 * time.Hour}
			},
			[]string{"the number of payments that is stored at the merchant's risk has come to 80 percent", "the total in EUR", "the age of the oldest payment"},
		},
		"limit unknown": {func(f *readiness.Facts) { f.Stored = nil }, []string{"payments without the network: it is not known what is stored"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := ready()
			tt.change(&f)
			found := append(limitsReached(f), notReady(f)...)
			if len(found) != len(tt.want) {
				t.Fatalf("alarms %q, want %q", found, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(found[i].text, want) || found[i].hint == "" {
					t.Errorf("alarm %q, want %q", found[i], want)
				}
			}
		})
	}
}

// A watcher is told when a limit is reached, and one that goes on watching is told once.
func TestWatchTellsOfALimit(t *testing.T) {
	a := startOtherAgent(t, func(o *Options) { o.Ledger.Limits = payment.Limits{Count: 2} }, func(*Server) {})
	w := a.watch(t, a.http1(t), "proto", nil)
	w.next(t)
	a.store(t, 0, 2)
	for m := w.next(t); ; m = w.next(t) {
		if alarms := m.GetAlarms(); len(alarms) == 1 && alarms[0].GetKind() == wire.StatusAlarmKind_STATUS_ALARM_KIND_PAYMENT_LIMIT &&
			strings.Contains(alarms[0].GetText(), "100 percent") {
			return
		}
	}
}

// A payment takes about as much of the queue as its room is counted with: no less than two thirds, and no more.
func TestRecordBytes(t *testing.T) {
	a := startAgent(t)
	space := func() int64 {
		s, err := a.Queue.Space()
		if err != nil {
			t.Fatal(err)
		}
		return s.Bytes
	}
	const n = 3000
	a.store(t, 0, 300)
	before := space()
	a.store(t, 300, 300+n)
	each := (before - space()) / n
	t.Logf("a stored payment takes %d bytes", each)
	if each > readiness.RecordBytes || each < readiness.RecordBytes*2/3 {
		t.Errorf("a payment takes %d bytes, and is counted with %d", each, readiness.RecordBytes)
	}
}
