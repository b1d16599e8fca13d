package row

import (
	"encoding/hex"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// schemaVersion is the version of what the lineage columns and the kinds' columns mean. In version 1 event_time was the
// terminal's wall clock, which is terminal_time since.
const schemaVersion = 2

// Places of the lineage columns that differ between the rows of an entry.
const (
	columnSeq          = 4
	columnIndex        = 5
	columnEventTime    = 6
	columnTimeSource   = 7
	columnTimeError    = 8
	columnTerminalTime = 9
	columnBootMS       = 10
	columnBootID       = 11
	columnConfidence   = 12
)

// lineageColumns begin the columns of every table: where a row comes from.
func lineageColumns() []Column {
	return []Column{
		{Name: "terminal", Type: String, Few: true},
		{Name: "merchant", Type: String, Few: true},
		{Name: "epoch", Type: String, Few: true},
		{Name: "lane", Type: String, Few: true},
		columnSeq:          {Name: "seq", Type: Int64},
		columnIndex:        {Name: "index", Type: Int32},
		columnEventTime:    {Name: "event_time", Type: Time, Nullable: true},
		columnTimeSource:   {Name: "time_source", Type: String, Nullable: true, Few: true},
		columnTimeError:    {Name: "time_error_ms", Type: Int64, Nullable: true},
		columnTerminalTime: {Name: "terminal_time", Type: Time, Nullable: true},
		columnBootMS:       {Name: "boot_ms", Type: Int64, Nullable: true},
		columnBootID:       {Name: "boot_id", Type: String, Nullable: true, Few: true},
		columnConfidence:   {Name: "clock_confidence", Type: String, Nullable: true, Few: true},
		{Name: "received_time", Type: Time},
		{Name: "agent_version", Type: String, Nullable: true, Few: true},
		{Name: "schema_version", Type: Int32},
		{Name: "gateway", Type: String, Nullable: true, Few: true},
		{Name: "log_offset", Type: Int64},
	}
}

// appendLineage appends the lineage columns of an entry. Those that differ between its rows are 0 or null.
func appendLineage(dst []Value, offset uint64, e *eventlog.Entry) []Value {
	return append(dst,
		text(e.Terminal),
		text(e.Merchant),
		text(hex.EncodeToString(e.Epoch)),
		enumValue(wire.Lane(e.Lane).Descriptor(), protoreflect.EnumNumber(e.Lane)),
		number(0),
		number(0),
		Value{Null: true},
		Value{Null: true},
		Value{Null: true},
		Value{Null: true},
		Value{Null: true},
		Value{Null: true},
		Value{Null: true},
		clamp(e.ReceivedUnixMs),
		orNull(e.AgentVersion),
		number(schemaVersion),
		orNull(e.Gateway),
		number(int64(offset)),
	)
}

// setPlace says which record of the lane a row is from, and its place within.
func setPlace(values []Value, seq uint64, index int) {
	values[columnSeq] = number(int64(seq))
	values[columnIndex] = number(int64(index))
}

// setTime says when it happened by the backend's clock, and how that is known. A moment without a source is no moment.
func setTime(values []Value, m eventlog.Moment) {
	values[columnEventTime] = Value{Null: true}
	values[columnTimeSource] = enumValue(m.Source.Descriptor(), m.Source.Number())
	values[columnTimeError] = Value{Null: true}
	if m.Source != eventlog.TimeSource_TIME_SOURCE_UNSPECIFIED {
		values[columnEventTime] = clamp(m.UnixMS)
	}
	if m.Bounded {
		values[columnTimeError] = number(m.ErrorMS)
	}
}

// setClock says what the terminal's clocks showed when it happened.
func setClock(values []Value, c *wire.Clock) {
	values[columnTerminalTime] = Value{Null: true}
	values[columnBootMS] = Value{Null: true}
	values[columnBootID] = orNull(hex.EncodeToString(c.GetBootId()))
	values[columnConfidence] = enumValue(c.GetConfidence().Descriptor(), c.GetConfidence().Number())
	if c != nil && c.WallUnixMs != nil && *c.WallUnixMs >= minTime && *c.WallUnixMs <= maxTime {
		values[columnTerminalTime] = number(*c.WallUnixMs)
	}
	if c != nil && c.BootMs != nil {
		values[columnBootMS] = number(*c.BootMs)
	}
}

// The first millisecond of year 1 and the last of year 9999. DuckDB and Spark count in microseconds, and can't read a
// file at all in which one time is too far away; a terminal's clock may show anything.
const (
	minTime = -62135596800000
	maxTime = 253402300799999
)

func clamp(ms int64) Value { return number(min(max(ms, minTime), maxTime)) }
