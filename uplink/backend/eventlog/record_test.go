package eventlog

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// newer returns an event with a body in a field that this schema lacks.
func newer(t testing.TB, number protowire.Number) []byte {
	b := marshal(t, &wire.Event{Clock: &wire.Clock{BootMs: proto.Int64(1)}})
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendBytes(b, []byte{8, 1})
}

func TestDecode(t *testing.T) {
	const (
		l         = wire.Lane_LANE_LEDGER
		m         = wire.Lane_LANE_TELEMETRY
		ok        = wire.RejectReason_REJECT_REASON_UNSPECIFIED
		malformed = wire.RejectReason_REJECT_REASON_MALFORMED
		tooLarge  = wire.RejectReason_REJECT_REASON_TOO_LARGE
		unknown   = wire.RejectReason_REJECT_REASON_UNKNOWN_FORM
	)
	event, two := payment(t, "k"), hosts(t, 2)
	tests := []struct {
		name   string
		lane   wire.Lane
		record []byte
		want   wire.RejectReason
		events int
	}{
		{"event", l, event, ok, 1},
		{"newer kind", l, newer(t, 99), ok, 1},
		{"newer field with a known body", l, append(bytes.Clone(event), newer(t, 99)...), ok, 1},
		{"nothing", l, nil, malformed, 0},
		{"clock only", l, marshal(t, &wire.Event{Clock: &wire.Clock{}}), malformed, 0},
		{"newer kind without clock", l, protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte{8, 1}), malformed, 0},
		{"unknown number below the kinds", l, newer(t, 5), malformed, 0},
		{"known kind of a wrong type", l, protowire.AppendVarint(protowire.AppendTag(newer(t, 99), 10, protowire.VarintType), 1), malformed, 0},
		{"text", l, []byte("GET / HTTP/1.1"), malformed, 0},
		{"cut", l, event[:len(event)-1], malformed, 0},
		{"invalid UTF-8", l, bytes.Replace(event, []byte("EUR"), []byte{'E', 0xff, 'R'}, 1), malformed, 0},
		{"a block in the ledger", l, columns(t, two...), malformed, 0},
		{"a plain block in the ledger", l, plain(t, two...), malformed, 0},
		{"largest", l, make([]byte, MaxRecordBytes), malformed, 0},
		{"too large", l, make([]byte, MaxRecordBytes+1), tooLarge, 0},
		{"block", m, columns(t, two...), ok, 2},
		{"largest block", m, columns(t, hosts(t, MaxRecords)...), ok, MaxRecords},
		{"block with a newer kind", m, columns(t, newer(t, 99), two[0]), ok, 2},
		{"block of a newer version", m, append([]byte{2}, columns(t, two...)[1:]...), unknown, 0},
		{"block, cut", m, columns(t, two...)[:10], malformed, 0},
		{"block with a bad event", m, columns(t, two[0], []byte{1}), malformed, 0},
		{"block with an empty event", m, columns(t, two[0], nil), malformed, 0},
		{"plain block", m, plain(t, two...), ok, 2},
		{"largest plain block", m, plain(t, hosts(t, MaxRecords)...), ok, MaxRecords},
		{"plain block with a newer kind", m, plain(t, newer(t, 99), two[0]), ok, 2},
		{"plain block that is too long", m, plain(t, hosts(t, MaxRecords+1)...), malformed, 0},
		{"plain block with a bad event", m, plain(t, two[0], []byte{1}), malformed, 0},
		{"plain block with an empty event", m, plain(t, nil), malformed, 0},
		{"empty block", m, nil, malformed, 0},
		{"an event in telemetry", m, event, malformed, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, reason := Decode(tt.lane, tt.record)
			if reason != tt.want || len(events) != tt.events {
				t.Errorf("Decode = %d events, %v; want %d, %v", len(events), reason, tt.events, tt.want)
			}
		})
	}
}

// Events are the same in both forms of a block, and a newer kind keeps its bytes.
func TestDecodeForms(t *testing.T) {
	events := append(hosts(t, 3), newer(t, 99))
	for name, record := range map[string][]byte{"columns": columns(t, events...), "plain": plain(t, events...)} {
		got, _ := Decode(wire.Lane_LANE_TELEMETRY, record)
		if len(got) != len(events) {
			t.Fatalf("%s: %d events became %d", name, len(events), len(got))
		}
		for i, e := range got {
			if !bytes.Equal(marshal(t, e), events[i]) {
				t.Errorf("%s: event %d became %v", name, i, e)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(true, payment(f, "k"))
	f.Add(true, newer(f, 99))
	f.Add(false, columns(f, hosts(f, 3)...))
	f.Add(false, plain(f, hosts(f, 3)...))
	f.Fuzz(func(t *testing.T, isLedger bool, record []byte) {
		lane := wire.Lane_LANE_TELEMETRY
		if isLedger {
			lane = wire.Lane_LANE_LEDGER
		}
		events, reason := Decode(lane, record)
		if (len(events) > 0) != (reason == wire.RejectReason_REJECT_REASON_UNSPECIFIED) {
			t.Fatalf("%d events with reason %v", len(events), reason)
		}
		for _, e := range events {
			// What was read can be written and read again, and says the same.
			again := decodeEvent(marshal(t, e))
			if again == nil || !proto.Equal(e, again) {
				t.Errorf("%v became %v", e, again)
			}
		}
	})
}
