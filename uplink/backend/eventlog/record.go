package eventlog

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// Decode reads a record: one event in the ledger lane, the events of a block in the telemetry lane. An event of a kind
// that this program does not know is returned with no body and its bytes among its unknown fields. The reason is
// REJECT_REASON_UNSPECIFIED when the record could be read.
func Decode(lane wire.Lane, record []byte) ([]*wire.Event, wire.RejectReason) {
	if len(record) > MaxRecordBytes {
		return nil, wire.RejectReason_REJECT_REASON_TOO_LARGE
	}
	if lane == wire.Lane_LANE_LEDGER {
		event := decodeEvent(record)
		if event == nil {
			return nil, wire.RejectReason_REJECT_REASON_MALFORMED
		}
		return []*wire.Event{event}, wire.RejectReason_REJECT_REASON_UNSPECIFIED
	}
	encoded, err := block.Decode(record)
	if errors.Is(err, block.ErrVersion) {
		return nil, wire.RejectReason_REJECT_REASON_UNKNOWN_FORM
	}
	if err != nil || len(encoded) > MaxRecords {
		return nil, wire.RejectReason_REJECT_REASON_MALFORMED
	}
	events := make([]*wire.Event, len(encoded))
	for i, b := range encoded {
		if events[i] = decodeEvent(b); events[i] == nil {
			return nil, wire.RejectReason_REJECT_REASON_MALFORMED
		}
	}
	return events, wire.RejectReason_REJECT_REASON_UNSPECIFIED
}

// decodeEvent returns nil when b is not an event.
func decodeEvent(b []byte) *wire.Event {
	event := new(wire.Event)
	if proto.Unmarshal(b, event) != nil {
		return nil
	}
	if event.Body == nil && (event.Clock == nil || !newerKind(event.ProtoReflect())) {
		return nil
	}
	return event
}

// newerKind reports whether the unknown fields of an event can be a body that a later schema defines: a message in a
// field with a number from 10 on. A known number among the unknown fields has a type it can't have.
func newerKind(event protoreflect.Message) bool {
	fields := event.Descriptor().Fields()
	found := false
	for b := event.GetUnknown(); len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || fields.ByNumber(number) != nil {
			return false
		}
		found = found || number >= 10 && kind == protowire.BytesType
		m := protowire.ConsumeFieldValue(number, kind, b[n:])
		if m < 0 {
			return false
		}
		b = b[n+m:]
	}
	return found
}
