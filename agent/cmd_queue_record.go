package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// recordJSON is a record in JSON. Numbers of 64 bits are strings, as in protobuf's mapping.
type recordJSON struct {
	Lane    string            `json:"lane"`
	Epoch   string            `json:"epoch"`
	Seq     uint64            `json:"seq,string"`
	Chain   string            `json:"chain,omitempty"`  // hexadecimal
	Reason  string            `json:"reason,omitempty"` // why the backend refused it
	Events  []json.RawMessage `json:"events,omitempty"`
	Payload []byte            `json:"payload,omitempty"` // when the events do not say all that is in it
	Sealed  []byte            `json:"sealed,omitempty"`  // when it can't be opened
	Problem string            `json:"problem,omitempty"`
	Stay    json.RawMessage   `json:"stay,omitempty"` // why it is there, in the schema's mapping
}

// opened returns the events in a record, each as its bytes, or why there are none.
func opened(r *wire.QueueRecord) (events [][]byte, problem string) {
	switch {
	case r.Payload == nil:
		return nil, r.GetProblem()
	case r.GetLane() == wire.Lane_LANE_TELEMETRY:
		events, err := block.Decode(r.GetPayload())
		if err != nil {
			return nil, err.Error()
		}
		return events, ""
	}
	return [][]byte{r.GetPayload()}, ""
}

// toJSON returns a record in JSON, with every event as show leaves it, and reports whether all of it could be read.
func toJSON(r *wire.QueueRecord, show func(*wire.Event)) (recordJSON, bool) {
	j := recordJSON{
		Lane: laneName(r.GetLane()), Epoch: r.GetEpoch(), Seq: r.GetSeq(), Chain: hex.EncodeToString(r.GetChain()),
		Sealed: r.GetSealed(),
	}
	if r.GetReason() != wire.RejectReason_REJECT_REASON_UNSPECIFIED {
		j.Reason = reasonName(r.GetReason())
	}
	if r.GetStay() != nil {
		j.Stay = onLine(r.GetStay())
	}
	var events [][]byte
	if events, j.Problem = opened(r); j.Problem != "" {
		j.Payload = r.GetPayload()
		return j, false
	}
	for _, e := range events {
		event := new(wire.Event)
		if proto.Unmarshal(e, event) != nil {
			j.Events, j.Payload, j.Problem = nil, r.GetPayload(), "it is not an event"
			return j, false
		}
		line, whole := eventJSON(event, e)
		if !whole {
			j.Payload = r.GetPayload()
		}
		if show != nil {
			show(event)
			line, _ = eventJSON(event, e)
		}
		j.Events = append(j.Events, line)
	}
	if show != nil {
		j.Payload = nil
	}
	return j, true
}

// eventJSON returns an event in protobuf's JSON mapping on one line, and reports whether its bytes can be made of that.
func eventJSON(event *wire.Event, encoded []byte) (json.RawMessage, bool) {
	line, again := onLine(event), new(wire.Event)
	if protojson.Unmarshal(line, again) != nil {
		return line, false
	}
	back, err := proto.MarshalOptions{Deterministic: true}.Marshal(again)
	return line, err == nil && bytes.Equal(back, encoded)
}

// onLine returns a message in protobuf's JSON mapping on one line, or null.
func onLine(m proto.Message) json.RawMessage {
	text, err := protojson.Marshal(m)
	if err != nil {
		return json.RawMessage("null")
	}
	var line bytes.Buffer
	if json.Compact(&line, text) != nil { // protojson varies its spaces
		return json.RawMessage("null")
	}
	return line.Bytes()
}

// mask takes from an event what a screen need not show: all but the end of what stands for a card.
func mask(event *wire.Event) {
	card := event.GetPayment().GetCard()
	if card == nil {
		return
	}
	card.Token, card.Par = tail(card.GetToken()), tail(card.GetPar())
}

func tail(s string) string {
	if s == "" {
		return ""
	}
	const shown = 4
	if len(s) < 3*shown {
		return "…"
	}
	return "…" + s[len(s)-shown:]
}

// printRecord writes a record for people: a line that names it, and its events below.
func printRecord(w io.Writer, r *wire.QueueRecord) {
	j, _ := toJSON(r, mask)
	line := fmt.Sprintf("%s/%s %d", j.Lane, short(j.Epoch), j.Seq)
	if made := madeOf(j.Events); made != "" {
		line += "  " + made
	}
	if j.Reason != "" {
		line += "  refused: " + j.Reason
	}
	if j.Problem != "" {
		line += fmt.Sprintf("  can't be opened: %s (%s)", printable(j.Problem), bytesOf(uint64(len(r.GetSealed())+len(r.GetPayload()))))
	}
	fmt.Fprintln(w, line)
	printStay(w, r.GetStay())
	for _, e := range j.Events {
		if len(j.Events) > 1 {
			fmt.Fprintf(w, "  %s\n", e)
			continue
		}
		var text bytes.Buffer
		if json.Indent(&text, e, "  ", "  ") == nil {
			fmt.Fprintf(w, "  %s\n", &text)
		}
	}
}

// printStay writes why a record is there, when it is tried next and what happens to it in time.
func printStay(w io.Writer, s *wire.RecordStay) {
	if s == nil {
		return
	}
	waits := "waits"
	if s.WaitingMs != nil {
		waits += " for " + span(time.Duration(s.GetWaitingMs())*time.Millisecond)
	}
	fmt.Fprintf(w, "  %s: %s\n", waits, printable(s.GetWhy()))
	fmt.Fprintf(w, "  next attempt: %s\n", s.GetNext())
	deadline := s.GetDeadline()
	if s.DeadlineUnixMs != nil {
		deadline = time.UnixMilli(s.GetDeadlineUnixMs()).UTC().Format("2006-01-02 15:04Z") + ", " + deadline
	}
	fmt.Fprintf(w, "  deadline: %s\n", deadline)
}

// madeOf says what the events are and when the first was made.
func madeOf(events []json.RawMessage) string {
	if len(events) == 0 {
		return ""
	}
	first := new(wire.Event)
	if protojson.Unmarshal(events[0], first) != nil {
		return ""
	}
	what := "event"
	if body := first.ProtoReflect().WhichOneof(first.ProtoReflect().Descriptor().Oneofs().ByName("body")); body != nil {
		what = string(body.Name())
	}
	if len(events) > 1 {
		what = fmt.Sprintf("%d events", len(events))
	}
	if first.GetClock() != nil && first.GetClock().WallUnixMs != nil {
		what = time.UnixMilli(first.GetClock().GetWallUnixMs()).UTC().Format("2006-01-02 15:04:05.000Z") + "  " + what
	}
	return what
}

func reasonName(r wire.RejectReason) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "REJECT_REASON_"))
}
