package block_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// rounds returns the encoded events of so many rounds of a terminal.
func rounds(t testing.TB, n int, opts blocktest.Options) [][]byte {
	t.Helper()
	terminal := blocktest.New(opts)
	var events [][]byte
	for range n {
		events = append(events, encoded(t, terminal.Round()...)...)
	}
	return events
}

// checkRoundTrip packs events twice, opens the block, and returns it.
func checkRoundTrip(t *testing.T, events [][]byte) []byte {
	t.Helper()
	b := checkOpens(t, events)
	again, err := block.Encode(events)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("the same events made another block (error %v)", err)
	}
	return b
}

// checkOpens packs events, opens the block, and returns it.
func checkOpens(t *testing.T, events [][]byte) []byte {
	t.Helper()
	before := make([][]byte, len(events))
	for i, e := range events {
		before[i] = bytes.Clone(e)
	}
	b, err := block.Encode(events)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(events, before, bytes.Equal) {
		t.Fatal("Encode changed its events")
	}
	got, err := block.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(events) {
		t.Fatalf("%d events became %d", len(events), len(got))
	}
	for i := range events {
		if !bytes.Equal(got[i], events[i]) {
			t.Fatalf("event %d: %x became %x", i, events[i], got[i])
		}
	}
	plain, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > len(plain) {
		t.Errorf("a block of %d bytes, where the events alone are %d", len(b), len(plain))
	}
	return b
}

func TestRoundTripReadings(t *testing.T) {
	for name, times := range map[string]blocktest.Times{
		"a time for a round":   blocktest.TimesByRound,
		"a time for a reading": blocktest.TimesByReading,
		"a time for a kind":    blocktest.TimesByKind,
	} {
		t.Run(name, func(t *testing.T) {
			for n := range 8 {
				opts := blocktest.Options{Seed: 7, Number: uint64(n), Jitter: blocktest.Jitter, Times: times}
				b := checkRoundTrip(t, rounds(t, 1+n*25, opts))
				if b[0] != 1 {
					t.Errorf("%d rounds were not put in columns", 1+n*25)
				}
			}
		})
	}
}

func TestRoundTripRandom(t *testing.T) {
	columns := 0
	for seed := range uint64(150) {
		r := newRandom(seed)
		var events []*wire.Event
		for range 1 + r.IntN(60) {
			events = append(events, r.event())
			if r.IntN(8) == 0 { // again
				events = append(events, events[r.IntN(len(events))])
			}
		}
		if b := checkRoundTrip(t, encoded(t, events...)); b[0] == 1 {
			columns++
		}
	}
	if columns < 145 {
		t.Errorf("%d of 150 blocks are columns", columns)
	}
}

func TestRoundTrip(t *testing.T) {
	battery := func(b *wire.Battery) *wire.Event {
		return &wire.Event{Body: &wire.Event_Battery{Battery: b}}
	}
	one := rounds(t, 1, blocktest.Options{})[0]
	with := func(extra ...byte) []byte { return append(bytes.Clone(one), extra...) }
	tests := map[string][][]byte{
		"one event":                 {one},
		"an empty event":            {{}},
		"empty events":              {{}, {}, {}},
		"nil":                       {nil},
		"an event and an empty one": {one, {}, one},
		"the same again":            {one, one, one, one},
		"unset, then zero, then unset": encoded(t,
			battery(&wire.Battery{}),
			battery(&wire.Battery{CapacityPercent: new(uint32), VoltageUv: new(int64), TemperatureDecicelsius: new(int32), ExternalPower: new(bool)}),
			battery(&wire.Battery{VoltageUv: new(int64)}),
			battery(&wire.Battery{CapacityPercent: new(uint32(1))}),
			battery(&wire.Battery{}),
		),
		"from one end to the other": encoded(t,
			battery(&wire.Battery{VoltageUv: new(int64(math.MaxInt64)), TemperatureDecicelsius: new(int32(math.MinInt32))}),
			battery(&wire.Battery{VoltageUv: new(int64(math.MinInt64)), TemperatureDecicelsius: new(int32(math.MaxInt32))}),
			battery(&wire.Battery{VoltageUv: new(int64(math.MaxInt64)), TemperatureDecicelsius: new(int32(math.MinInt32))}),
			battery(&wire.Battery{VoltageUv: new(int64), TemperatureDecicelsius: new(int32)}),
		),
		"an unknown number":               {with(0x98, 0x06, 0x07), one, with(0x98, 0x06, 0x09)},
		"an unknown string":               {with(0x9a, 0x06, 2, 'h', 'i'), one},
		"an unknown fixed32":              {with(0x9d, 0x06, 1, 2, 3, 4), with(0x9d, 0x06, 1, 2, 3, 5)},
		"an unknown fixed64":              {with(0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 0x80), one},
		"an unknown group":                {with(0x9b, 0x06, 0x9c, 0x06), one},
		"a field twice":                   {with(0x98, 0x06, 0x07, 0x98, 0x06, 0x08), with(0x98, 0x06, 0x07)},
		"fields in another order":         {with(0x98, 0x06, 0x07, 0x90, 0x06, 0x08), with(0x90, 0x06, 0x08, 0x98, 0x06, 0x07)},
		"a varint longer than it must be": {with(0x98, 0x06, 0x87, 0x00), one},
		"a length longer than it must be": {with(0x9a, 0x06, 0x81, 0x00, 'x'), one},
		"a tag longer than it must be":    {with(0x98, 0x86, 0x00, 0x07), one},
		"a tag with no number":            {with(0x00, 0x01), one},
		"half an event":                   {one[:len(one)/2], one},
		"text":                            {[]byte("this is no event"), one, []byte("nor is this")},
		"a kind with the wrong type":      {{0xa0, 0x01, 0x05}, one},
		"a clock with the wrong type":     {{0x08, 0x05}, one, {0x0a, 0x02, 0x0a, 0x00}},
		"deep":                            {nest(7), nest(8), nest(9), nest(30), one},
		"many fields":                     append(manyFields(3), one),
		"fields that all differ":          newFields(300),
	}
	for name, events := range tests {
		t.Run(name, func(t *testing.T) {
			checkRoundTrip(t, events)
			// However odd an event is, those beside it are packed as ever.
			readings := rounds(t, 30, blocktest.Options{})
			alone := checkRoundTrip(t, readings)
			size := 0
			for _, e := range events {
				size += len(e) + 24
			}
			if b := checkRoundTrip(t, slices.Concat(readings, events)); len(b) > len(alone)+size {
				t.Errorf("%d bytes with %d bytes of odd events, and %d without", len(b), size, len(alone))
			}
		})
	}
}

// What a newer terminal sends passes through programs of this schema: what they know is there, and what they don't is kept.
func TestNewerTerminal(t *testing.T) {
	extra := protowire.AppendVarint(protowire.AppendTag(nil, 90, protowire.VarintType), 7)
	extra = protowire.AppendString(protowire.AppendTag(extra, 91, protowire.BytesType), "new")
	var events [][]byte
	for i := range 20 {
		b := &wire.Battery{Name: "BAT0", CapacityPercent: new(uint32(i))}
		b.ProtoReflect().SetUnknown(extra)
		e := &wire.Event{Clock: &wire.Clock{BootMs: new(int64(i))}, Body: &wire.Event_Battery{Battery: b}}
		if i%4 == 3 { // a kind that this schema lacks
			e.Body = nil
			e.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 60, protowire.BytesType), extra))
		}
		events = append(events, encoded(t, e)...)
	}
	b := checkRoundTrip(t, events)
	if b[0] != 1 {
		t.Error("new fields were not put in columns")
	}
	got, err := block.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, event := range got {
		e := new(wire.Event)
		if err := proto.Unmarshal(event, e); err != nil {
			t.Fatal(err)
		}
		battery := e.GetBattery()
		switch {
		case i%4 == 3:
			if e.Body != nil || !bytes.HasSuffix(e.ProtoReflect().GetUnknown(), extra) {
				t.Errorf("a new kind became %v", e)
			}
		case battery.GetCapacityPercent() != uint32(i) || !bytes.Equal(battery.ProtoReflect().GetUnknown(), extra):
			t.Errorf("a reading with new fields became %v", e)
		}
	}
}

// More kinds of events than have streams of their own.
func TestRoundTripManyKinds(t *testing.T) {
	events := rounds(t, 100, blocktest.Options{Jitter: blocktest.Jitter, Times: blocktest.TimesByKind})
	for i := range events {
		extra := protowire.AppendTag(nil, protowire.Number(200+i%13), protowire.VarintType)
		events[i] = append(events[i], protowire.AppendVarint(extra, uint64(i))...)
	}
	if b := checkRoundTrip(t, events); b[0] != 1 || len(b) > 3500 {
		t.Errorf("%d bytes of version %d", len(b), b[0])
	}
}

// nest returns an event with unknown strings in each other, so that they look like messages.
func nest(depth int) []byte {
	var b []byte
	for range depth {
		b = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
	}
	return b
}

// Order is what it was, also when neither time nor kind give a hint.
func TestRoundTripUnordered(t *testing.T) {
	events := rounds(t, 50, blocktest.Options{Jitter: 0.5, Times: blocktest.TimesByKind})
	newRandom(1).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	checkRoundTrip(t, events)
}

func TestRoundTripLargest(t *testing.T) {
	many := rounds(t, block.MaxEvents/4, blocktest.Options{Jitter: blocktest.Jitter})
	large := make([][]byte, block.MaxEvents)
	for i := range large {
		large[i] = bytes.Repeat([]byte{byte(i), byte(i >> 8)}, block.MaxBytes/block.MaxEvents/2)
	}
	lifecycle := &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: &wire.Lifecycle{Detail: strings.Repeat("x", 1000)}}}
	same := slices.Repeat(encoded(t, lifecycle), block.MaxEvents)
	var different []*wire.Event
	for i := range block.MaxEvents {
		different = append(different, &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: &wire.Lifecycle{Detail: strings.Repeat("y", i/2)}}})
	}
	for name, events := range map[string][][]byte{
		"1,000 readings":                 many,
		"1 MiB of no events":             large,
		"1,000 times the same":           same,
		"1,000 strings":                  encoded(t, different...),
		"one event of 1 MiB":             {bytes.Repeat([]byte("0123456789abcdef"), block.MaxBytes/16)},
		"1,000 events with new fields":   newFields(block.MaxEvents),
		"1,000 events of 60 new fields":  manyFields(block.MaxEvents),
		"225,000 values that take turns": turns(block.MaxEvents),
	} {
		t.Run(name, func(t *testing.T) { checkOpens(t, events) })
	}
}

// newFields returns events each of which has a field that no other has.
func newFields(n int) [][]byte {
	var events [][]byte
	for i := range n {
		b := protowire.AppendTag(nil, protowire.Number(100+i), protowire.VarintType)
		events = append(events, protowire.AppendVarint(b, uint64(i)))
	}
	return events
}

// manyFields returns events of many fields, each with another string.
func manyFields(n int) [][]byte {
	var events [][]byte
	for i := range n {
		var b []byte
		for f := range 60 {
			b = protowire.AppendTag(b, protowire.Number(100+f), protowire.BytesType)
			b = protowire.AppendBytes(b, []byte{byte(i), byte(i >> 8), byte(f)})
		}
		events = append(events, b)
	}
	return events
}

// turns returns events of 225 fields, all of which are one thing in one event and another in the next.
func turns(n int) [][]byte {
	var events [][]byte
	for i := range n {
		var event, message []byte
		for f := range 45 {
			message = protowire.AppendTag(message, protowire.Number(100+f), protowire.VarintType)
			message = protowire.AppendVarint(message, uint64(f+i%2))
		}
		for _, body := range []protowire.Number{1, 20, 21, 22, 23} {
			event = protowire.AppendBytes(protowire.AppendTag(event, body, protowire.BytesType), message)
		}
		events = append(events, event)
	}
	return events
}

func TestEncodeRefuses(t *testing.T) {
	for name, events := range map[string][][]byte{
		"no events":       {},
		"1,001 events":    make([][]byte, block.MaxEvents+1),
		"a byte too much": {make([]byte, block.MaxBytes), {0}},
	} {
		if b, err := block.Encode(events); err == nil || b != nil {
			t.Errorf("%s: got %d bytes and error %v", name, len(b), err)
		}
	}
}

// What comes out belongs to the caller alone.
func TestDecodeSharesNothing(t *testing.T) {
	events := rounds(t, 3, blocktest.Options{})
	plain, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"columns": checkRoundTrip(t, events), "plain": plain} {
		got, err := block.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		for i := range got {
			_ = append(got[i], "overwritten"...)
		}
		if !slices.EqualFunc(got, events, bytes.Equal) {
			t.Errorf("%s: events changed after they were returned", name)
		}
	}
}
