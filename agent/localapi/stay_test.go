package localapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

func TestStay(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	const at = int64(1_777_000_000_000)
	clock := func(wall int64, c wire.ClockConfidence) *wire.Clock {
		return &wire.Clock{WallUnixMs: &wall, Confidence: c}
	}
	set, unset := wire.ClockConfidence_CLOCK_CONFIDENCE_NTP, wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	payment := func(kind wire.PaymentKind, c wire.ClockConfidence) *wire.QueueRecord {
		payload, err := proto.Marshal(&wire.Event{Clock: clock(at, c), Body: &wire.Event_Payment{Payment: &wire.Payment{Kind: kind}}})
		if err != nil {
			t.Fatal(err)
		}
		return &wire.QueueRecord{Lane: wire.Lane_LANE_LEDGER, Payload: payload}
	}
	sale := payment(wire.PaymentKind_PAYMENT_KIND_AUTHORISED, set)
	stored := payment(wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED, set)
	reading := &wire.QueueRecord{Lane: wire.Lane_LANE_TELEMETRY}
	refused := proto.CloneOf(sale)
	refused.Reason = wire.RejectReason_REJECT_REASON_TOO_LARGE
	waiting := &wire.UplinkStatus{
		State: wire.UplinkState_UPLINK_STATE_WAITING, Stage: wire.UplinkStage_UPLINK_STAGE_TLS, LastError: "no answer", NextAttemptInMs: new(int64(7000)),
	}
	held := func(why wire.TelemetryHold) *wire.UplinkStatus {
		return &wire.UplinkStatus{State: wire.UplinkState_UPLINK_STATE_ONLINE, Hold: why, HeldForMs: new(3 * hour)}
	}
	state := func(s wire.UplinkState) *wire.UplinkStatus { return &wire.UplinkStatus{State: s} }
	tests := map[string]struct {
		record    *wire.QueueRecord
		uplink    *wire.UplinkStatus
		why, next string // all of it
		deadline  string // how it begins
		until     *int64
	}{
		"payment, offline": {
			sale, waiting, "the terminal is offline: the last attempt ended at tls: no answer", "with the next attempt, in 7 s", "none: it is kept until", nil,
		},
		"stored payment": {
			stored, waiting, "the terminal is offline: the last attempt ended at tls: no answer", "with the next attempt, in 7 s",
			"24 h after it was made: the acquirer may decline it", new(at + 24*hour),
		},
		"stored payment, clock never set": {
			payment(wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED, unset), state(wire.UplinkState_UPLINK_STATE_CONNECTING),
			"the terminal is offline and connects now", "as soon as it is connected", "24 h after it was made: the acquirer may decline it", nil,
		},
		"payment, online": {
			sale, state(wire.UplinkState_UPLINK_STATE_ONLINE), "the backend has not stored it yet", "now: it is on its way, or behind what is", "none: it is kept until", nil,
		},
		"payment, online and in trouble": {
			sale, &wire.UplinkStatus{State: wire.UplinkState_UPLINK_STATE_ONLINE, LastError: "cannot read the queue"},
			"the terminal is online, and can't send it: cannot read the queue", "as soon as that is over", "none: it is kept until", nil,
		},
		"payment, no backend": {
			sale, state(wire.UplinkState_UPLINK_STATE_DISABLED), "no backend is configured", "when uplink.backend is set and the agent was started again", "none: it is kept until", nil,
		},
		"payment, readings are held": {
			sale, held(wire.TelemetryHold_TELEMETRY_HOLD_WINDOW), "the backend has not stored it yet", "now: it is on its way, or behind what is", "none: it is kept until", nil,
		},
		"payment, nobody knows": {sale, state(0), "it is not known how the uplink is", "it is not known when", "none: it is kept until", nil},
		"payment, agent stopped": {
			sale, nil, "the agent does not run", "when it runs again", "none: it is kept until", nil,
		},
		"payment, refused": {
			refused, waiting, "the backend refused it: too large", "never", "none: it is kept until somebody drops it", nil,
		},
		"reading, offline": {
			reading, waiting, "the terminal is offline: the last attempt ended at tls: no answer", "with the next attempt, in 7 s", "none, but the oldest readings are dropped", nil,
		},
		"reading, not its time": {
			reading, held(wire.TelemetryHold_TELEMETRY_HOLD_WINDOW), "readings wait for their time of day (uplink.telemetry_window)", "when they may be sent again, in 3 h",
			"none, but the oldest readings are dropped", nil,
		},
		"reading, over the limit": {
			reading, held(wire.TelemetryHold_TELEMETRY_HOLD_LIMIT), "what readings may cost in a day is used up (uplink.telemetry_per_day)", "when they may be sent again, in 3 h",
			"none, but the oldest readings are dropped", nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Circumstances{Now: clock(at+hour, set), Uplink: tt.uplink, MaxAge: 24 * time.Hour}
			s := c.Stay(tt.record)
			if s.GetWhy() != tt.why || s.GetNext() != tt.next || !strings.HasPrefix(s.GetDeadline(), tt.deadline) {
				t.Errorf("stay = %v, want %q, %q, %q", s, tt.why, tt.next, tt.deadline)
			}
			if (s.DeadlineUnixMs == nil) != (tt.until == nil) || s.GetDeadlineUnixMs() != value(tt.until) {
				t.Errorf("deadline = %v, want %v", s.DeadlineUnixMs, tt.until)
			}
			if known := tt.record.Payload != nil && !strings.HasSuffix(name, "never set"); (s.WaitingMs != nil) != known || known && s.GetWaitingMs() != hour {
				t.Errorf("waits for %v", s.WaitingMs)
			}
		})
	}
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// A page says why its records stay only when it is asked.
func TestReadQueueExplains(t *testing.T) {
	a := startAgent(t)
	fillQueue(t, a)
	epoch := a.Queue.Lanes()[0].Epoch.String()[:8]
	for _, request := range []string{fmt.Sprintf(`{"lane":1,"epoch":%q,"explain":true}`, epoch), `{"quarantine":true,"explain":true}`} {
		page := answered(t, a, "ReadQueue", request, &wire.ReadQueueResponse{})
		for _, r := range page.GetRecords() {
			if s := r.GetStay(); s.GetWhy() == "" || s.GetNext() == "" || s.GetDeadline() == "" || s.WaitingMs == nil {
				t.Errorf("%s: record %d stays for %v", request, r.GetSeq(), s)
			}
		}
		if len(page.GetRecords()) == 0 {
			t.Errorf("%s: nothing came", request)
		}
		page = answered(t, a, "ReadQueue", strings.ReplaceAll(request, "true}", "false}"), &wire.ReadQueueResponse{})
		for _, r := range page.GetRecords() {
			if r.Stay != nil {
				t.Errorf("record %d explains itself unasked", r.GetSeq())
			}
		}
	}
}
