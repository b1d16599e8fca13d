package localapi

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// watched returns what a watcher is told now.
func (s *Server) watched() *wire.WatchStatusResponse {
	q, up := s.Queue.Stats(), s.Uplink.Status()
	res := &wire.WatchStatusResponse{
		Uplink: up.GetState(), LastError: up.GetLastError(), Hint: up.GetHint(), NextAttemptInMs: up.NextAttemptInMs,
		Alarms: s.statusAlarms(q),
	}
	// Lanes come from the oldest epoch on, and what is made later is not older.
	for _, l := range q.Lanes {
		backlog := &res.Ledger
		if l.Lane == buffer.Telemetry {
			backlog = &res.Telemetry
		}
		if *backlog == nil {
			*backlog = new(wire.Backlog)
		}
		if (*backlog).Records == 0 && l.Depth() > 0 {
			(*backlog).OldestAgeMs = s.ageOfOldest(l)
		}
		(*backlog).Records += l.Depth()
	}
	return res
}

// ageOfOldest returns how long ago the oldest record of a lane was made, in milliseconds, or nil when that is not known.
func (s *Server) ageOfOldest(l buffer.LaneState) *int64 {
	first, err := s.Queue.Read(l.LaneID, l.Oldest, 1, 0)
	if err != nil || len(first) == 0 {
		return nil
	}
	return ageOf(madeAt(wire.Lane(l.Lane), first[0].Payload), s.Ledger.Clock.Now())
}

// ageOf returns how many milliseconds lie between two readings of the clock: by the time since boot when both are of one
// boot, which nobody can set, and else by the wall clock. It is nil when neither can tell.
func ageOf(then, now *wire.Clock) *int64 {
	var age int64
	switch {
	case then == nil:
		return nil
	case then.BootMs != nil && now.BootMs != nil && len(now.GetBootId()) > 0 && bytes.Equal(then.GetBootId(), now.GetBootId()):
		age = now.GetBootMs() - then.GetBootMs()
	case then.WallUnixMs != nil && now.WallUnixMs != nil && trusted(then) && trusted(now):
		age = now.GetWallUnixMs() - then.GetWallUnixMs()
	default:
		return nil
	}
	if age < 0 {
		return nil
	}
	return &age
}

// trusted reports whether a wall clock shows a time that can be right.
func trusted(c *wire.Clock) bool {
	return c.GetConfidence() >= wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
}

// madeAt returns the clock of the terminal when the first event of a record was made, or nil when that is not known.
func madeAt(lane wire.Lane, payload []byte) *wire.Clock {
	if lane == wire.Lane_LANE_TELEMETRY {
		events, err := block.Decode(payload)
		if err != nil {
			return nil
		}
		payload = events[0]
	}
	event := new(wire.Event)
	if proto.Unmarshal(payload, event) != nil {
		return nil
	}
	return event.GetClock()
}

// statusAlarms returns what needs somebody now, by kind.
func (s *Server) statusAlarms(q buffer.Stats) (alarms []*wire.StatusAlarm) {
	raise := func(kind wire.StatusAlarmKind, text, hint string) {
		alarms = append(alarms, &wire.StatusAlarm{Kind: kind, Text: text, Hint: hint})
	}
	if q.Fault != nil {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_QUEUE, "the queue can't be used: "+q.Fault.Error(), refusalOf(q.Fault).hint)
	}
	if q.Quarantined > 0 {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_QUARANTINE, fmt.Sprintf("records that the backend refused: %d", q.Quarantined),
			"'stampd queue quarantine list' shows them with the reasons")
	}
	if text := s.certificateFault(); text != "" {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_CERTIFICATE, text, "'stampd status' says more; 'stampd enroll' gets a new certificate")
	}
	if n := s.Guard.Refused(); n > 0 {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_CARDHOLDER_DATA, fmt.Sprintf("requests refused for cardholder data since the start: %d", n),
			"correct the application that sends it; the agent's log names the field and the caller")
	}
	if s.Ledger.Refs == nil {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_MEMBER_KEY, "the merchant's member key is missing, and stamps are refused",
			"set loyalty.member_key_file and start the agent again")
	}
	f := s.facts(q)
	for _, r := range limitsReached(f) {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_PAYMENT_LIMIT, r.text, r.hint)
	}
	for _, r := range notReady(f) {
		raise(wire.StatusAlarmKind_STATUS_ALARM_KIND_OFFLINE_READINESS, r.text, r.hint)
	}
	return alarms
}

// certificateFault says what is wrong with the terminal's certificate, or "".
func (s *Server) certificateFault() string {
	if s.Renewer == nil {
		return ""
	}
	c := s.Renewer.Status()
	switch {
	case c.GetState() == wire.CertificateState_CERTIFICATE_STATE_NONE:
		return "the terminal has no certificate that can be used"
	case c.GetState() == wire.CertificateState_CERTIFICATE_STATE_EXPIRED:
		return "the terminal's certificate has expired"
	case c.GetLastError() != "":
		return "the terminal's certificate: " + c.GetLastError()
	}
	return ""
}
