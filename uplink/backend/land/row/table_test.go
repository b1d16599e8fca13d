package row

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// rows returns the rows of an entry: the kind and the columns that are asked for.
func rows(t *testing.T, tables *Tables, e *eventlog.Entry, columns ...string) []string {
	t.Helper()
	var out []string
	err := tables.Each(9, e, func(table *Table, values []Value) error {
		if len(values) != len(table.Columns) {
			t.Fatalf("%s: %d values for %d columns", table.Kind, len(values), len(table.Columns))
		}
		line := table.Kind
		for i, c := range table.Columns {
			if values[i].Null && !c.Nullable {
				t.Errorf("%s: %s is null", table.Kind, c.Name)
			}
			for _, name := range columns {
				if c.Name == name {
					line += " " + values[i].show(c.Type)
				}
			}
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func event(t testing.TB, e *wire.Event) []byte {
	t.Helper()
	b, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEntryRows(t *testing.T) {
	audit := event(t, &wire.Event{Clock: &wire.Clock{BootMs: proto.Int64(5)}, Body: &wire.Event_Audit{Audit: &wire.Audit{}}})
	const tooLarge, malformed = uint32(wire.RejectReason_REJECT_REASON_TOO_LARGE), uint32(wire.RejectReason_REJECT_REASON_MALFORMED)
	tests := []struct {
		name  string
		entry *eventlog.Entry
		want  []string
	}{
		{"nothing", &eventlog.Entry{}, nil},
		{"lost", &eventlog.Entry{Lane: 2, FirstSeq: 9, Lost: []*eventlog.Lost{{FromSeq: 2, ToSeq: 4}, {FromSeq: 5, ToSeq: 5}}}, []string{"lost 2 0 null 4", "lost 5 0 null 5"}},
		{"marked as rejected, readable or not", &eventlog.Entry{Lane: 1, FirstSeq: 3, Records: [][]byte{audit, audit, {1}},
			Rejected: []*eventlog.Rejected{{Index: 0, Reason: tooLarge}, {Index: 2, Reason: malformed}}}, []string{`rejected 3 0 null "too_large"`, "audit 4 0 5", `rejected 5 0 null "malformed"`}},
		{"not marked, and not readable", &eventlog.Entry{Lane: 1, FirstSeq: 3, Records: [][]byte{audit, {1}, {}}}, []string{"audit 3 0 5", `rejected 4 0 null "malformed"`, `rejected 5 0 null "malformed"`}},
		{"a reason of a newer program", &eventlog.Entry{Lane: 1, FirstSeq: 3, Records: [][]byte{{1}}, Rejected: []*eventlog.Rejected{{Index: 0, Reason: 99}}}, []string{`rejected 3 0 null "99"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rows(t, New(), tt.entry, "seq", "index", "boot_ms", "reason", "to_seq")
			if strings.Join(got, "; ") != strings.Join(tt.want, "; ") {
				t.Errorf("rows %q, want %q", got, tt.want)
			}
		})
	}
}

// What one row had does not show in the next.
func TestRowsAreApart(t *testing.T) {
	tables := New()
	full := event(t, &wire.Event{
		Clock: &wire.Clock{WallUnixMs: proto.Int64(1), BootMs: proto.Int64(2), BootId: []byte{3}, Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_RTC},
		Body:  &wire.Event_Audit{Audit: &wire.Audit{Subject: "x"}},
	})
	empty := event(t, &wire.Event{Body: &wire.Event_Audit{Audit: &wire.Audit{}}})
	columns := []string{"terminal_time", "boot_ms", "boot_id", "clock_confidence", "subject"}
	e := &eventlog.Entry{Lane: 1, FirstSeq: 1, Records: [][]byte{full, empty, full, {1}}}
	want := []string{`audit 1 2 "03" "rtc" "x"`, "audit null null null null null", `audit 1 2 "03" "rtc" "x"`, "rejected null null null null"}
	for range 2 {
		if got := rows(t, tables, e, columns...); strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("rows %q, want %q", got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	for ms, want := range map[int64]string{
		0: "0", -1: "-1", minTime: fmt.Sprint(int64(minTime)), maxTime: fmt.Sprint(int64(maxTime)),
		minTime - 1: "null", maxTime + 1: "null", math.MinInt64: "null", math.MaxInt64: "null",
	} {
		e := &eventlog.Entry{Lane: 1, FirstSeq: 1, Records: [][]byte{event(t, &wire.Event{Clock: &wire.Clock{WallUnixMs: &ms}, Body: &wire.Event_Audit{Audit: &wire.Audit{}}})}}
		if got := rows(t, New(), e, "terminal_time"); got[0] != "audit "+want {
			t.Errorf("%d: %q, want %s", ms, got, want)
		}
	}
}

// The backend's times stand beside the terminal's, in the order of the events, and a row of no event has none.
func TestEventTimes(t *testing.T) {
	const noon = int64(1_777_636_800_000)
	boot := append(make([]byte, 15), 1)
	at := func(wall, sinceBoot int64) []byte {
		c := &wire.Clock{WallUnixMs: &wall, BootMs: &sinceBoot, BootId: boot, Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET}
		return event(t, &wire.Event{Clock: c, Body: &wire.Event_Audit{Audit: &wire.Audit{}}})
	}
	e := &eventlog.Entry{
		Lane: 1, FirstSeq: 3, ReceivedUnixMs: noon, LastUnixMs: noon - 59_000,
		Lost:    []*eventlog.Lost{{FromSeq: 1, ToSeq: 2}},
		Records: [][]byte{at(7, 0), at(1<<31*1000, 10_000), {1}, event(t, &wire.Event{Body: &wire.Event_Audit{Audit: &wire.Audit{}}}), at(7, 20_000)},
		Boots:   []*eventlog.BootClock{{BootId: boot, BootMs: 5000, UnixMs: noon - 55_000, ErrorMs: proto.Int64(30), Source: eventlog.TimeSource_TIME_SOURCE_BACKEND}},
	}
	want := []string{
		"lost null null null null null",
		fmt.Sprintf(`audit %d "backend" 1030 7 "unset"`, noon-59_000),
		fmt.Sprintf(`audit %d "backend" 30 2147483648000 "unset"`, noon-50_000),
		"rejected null null null null null",
		fmt.Sprintf(`audit %d "bounds" null null null`, noon),
		fmt.Sprintf(`audit %d "backend" 31 7 "unset"`, noon-40_000),
	}
	got := rows(t, New(), e, "event_time", "time_source", "time_error_ms", "terminal_time", "clock_confidence")
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("rows %q, want %q", got, want)
	}
}

func TestErrorEndsTheEntry(t *testing.T) {
	end, calls := errors.New("end"), 0
	for _, e := range []*eventlog.Entry{
		{Lane: 2, Lost: []*eventlog.Lost{{FromSeq: 1, ToSeq: 2}, {FromSeq: 3, ToSeq: 4}}},
		{Lane: 1, FirstSeq: 1, Records: [][]byte{{1}, {1}}},
		{Lane: 1, FirstSeq: 1, Records: [][]byte{{1}, {1}}, Rejected: []*eventlog.Rejected{{Index: 0, Reason: 1}}},
		{Lane: 1, FirstSeq: 1, Records: [][]byte{event(t, &wire.Event{Body: &wire.Event_Audit{Audit: &wire.Audit{}}}), {1}}},
	} {
		calls = 0
		err := New().Each(1, e, func(*Table, []Value) error { calls++; return end })
		if !errors.Is(err, end) || calls != 1 {
			t.Errorf("Each = %v after %d calls", err, calls)
		}
	}
}

func TestTablesHaveEveryKindAndNoNameTwice(t *testing.T) {
	tables := New()
	all := []*Table{tables.unknown, tables.rejected, tables.lost}
	kinds := (*wire.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range kinds.Len() {
		table := tables.events[kinds.Get(i).Number()]
		if table == nil || table.Kind != string(kinds.Get(i).Name()) {
			t.Fatalf("no table for %s", kinds.Get(i).Name())
		}
		all = append(all, table)
	}
	for _, table := range all {
		seen := map[string]bool{"kind": true, "date": true}
		for _, c := range table.Columns {
			if seen[c.Name] || c.Type == 0 {
				t.Errorf("%s: column %+v", table.Kind, c)
			}
			seen[c.Name] = true
		}
	}
}

// Whatever a terminal sends becomes rows: as many as the log says, and the same each time.
func FuzzEach(f *testing.F) {
	ledger := event(f, &wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{IdempotencyKey: "k", Card: &wire.PaymentCard{Last4: "1234"}}}})
	block, err := proto.Marshal(&wire.TelemetryBlock{Events: [][]byte{ledger, ledger}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ledger, false)
	f.Add(block, true)
	f.Add([]byte{0x0a, 0, 0x9a, 6, 2, 8, 1}, false)
	f.Fuzz(func(t *testing.T, record []byte, telemetry bool) {
		lane := wire.Lane_LANE_LEDGER
		if telemetry {
			lane = wire.Lane_LANE_TELEMETRY
		}
		events, _ := eventlog.Decode(lane, record)
		var all []string
		for range 2 {
			got := rows(t, New(), &eventlog.Entry{Terminal: "t", Lane: uint32(lane), FirstSeq: 1, Records: [][]byte{record}}, "seq", "index", "event_time", "time_source", "terminal_time", "idempotency_key", "event", "raw")
			if len(got) != max(len(events), 1) {
				t.Fatalf("%d rows of %d events", len(got), len(events))
			}
			all = append(all, strings.Join(got, "\n"))
		}
		if all[0] != all[1] {
			t.Errorf("rows differ:\n%s\n%s", all[0], all[1])
		}
	})
}
