package localapi

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// Circumstances are what decides how long a record stays in the queue.
type Circumstances struct {
	Now    *wire.Clock
	Uplink *wire.UplinkStatus // nil: the agent does not run
	MaxAge time.Duration      // of payments that are stored at the merchant's risk; 0: not watched
}

// Stay says why a record is in the queue, when it is tried next, and what happens to it in time.
func (c Circumstances) Stay(r *wire.QueueRecord) *wire.RecordStay {
	made := madeAt(r.GetLane(), r.GetPayload())
	s := &wire.RecordStay{WaitingMs: ageOf(made, c.Now)}
	if r.GetReason() != wire.RejectReason_REJECT_REASON_UNSPECIFIED {
		s.Why = "the backend refused it: " + words(r.GetReason().String(), "REJECT_REASON_")
		s.Next = "never"
		s.Deadline = "none: it is kept until somebody drops it ('stampd queue quarantine')"
		return s
	}
	s.Why, s.Next = c.held(r.GetLane())
	if r.GetLane() == wire.Lane_LANE_TELEMETRY {
		s.Deadline = "none, but the oldest readings are dropped when the queue has no more room; the backend is told which"
		return s
	}
	s.Deadline = "none: it is kept until the backend has stored it"
	if c.MaxAge > 0 && isStored(r.GetPayload()) {
		s.Deadline = cli.Span(c.MaxAge) + " after it was made: the acquirer may decline it when it is forwarded later; the record is kept all the same"
		if made.GetConfidence() >= wire.ClockConfidence_CLOCK_CONFIDENCE_RTC && made.WallUnixMs != nil {
			s.DeadlineUnixMs = new(made.GetWallUnixMs() + c.MaxAge.Milliseconds())
		}
	}
	return s
}

// held says what keeps records of a lane from the backend, and when they are tried next.
func (c Circumstances) held(lane wire.Lane) (why, next string) {
	u := c.Uplink
	if u == nil {
		return "the agent does not run", "when it runs again"
	}
	at := ""
	if u.GetStage() != wire.UplinkStage_UPLINK_STAGE_UNSPECIFIED {
		at = " at " + words(u.GetStage().String(), "UPLINK_STAGE_")
	}
	switch u.GetState() {
	case wire.UplinkState_UPLINK_STATE_DISABLED:
		return "no backend is configured", "when uplink.backend is set and the agent was started again"
	case wire.UplinkState_UPLINK_STATE_CONNECTING:
		why, next = "the terminal is offline and connects now"+at, "as soon as it is connected"
	case wire.UplinkState_UPLINK_STATE_WAITING:
		why, next = "the terminal is offline: the last attempt ended"+at, "with the next attempt"
		if u.NextAttemptInMs != nil {
			next += ", in " + cli.Span(time.Duration(u.GetNextAttemptInMs())*time.Millisecond)
		}
	case wire.UplinkState_UPLINK_STATE_ONLINE:
		why, next = "the backend has not stored it yet", "now: it is on its way, or behind what is"
		if u.GetLastError() != "" {
			why, next = "the terminal is online, and can't send it"+at, "as soon as that is over"
		}
	default:
		return "it is not known how the uplink is", "it is not known when"
	}
	if u.GetLastError() != "" {
		why += ": " + u.GetLastError()
	}
	if lane != wire.Lane_LANE_TELEMETRY || u.GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		return why, next
	}
	why = "readings wait for their time of day (uplink.telemetry_window)"
	if u.GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_LIMIT {
		why = "what readings may cost in a day is used up (uplink.telemetry_per_day)"
	}
	next = "when they may be sent again"
	if u.HeldForMs != nil {
		next += ", in " + cli.Span(time.Duration(u.GetHeldForMs())*time.Millisecond)
	}
	return why, next
}

// isStored reports whether an event is a payment that is stored at the merchant's risk.
func isStored(payload []byte) bool {
	event := new(wire.Event)
	return proto.Unmarshal(payload, event) == nil && event.GetPayment().GetKind() == wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED
}

// words returns the name of an enum's value for people.
func words(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}
