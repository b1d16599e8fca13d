package eventlog

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// truth is when the story of these tests begins, by a clock that is right: milliseconds since 1970.
var truth = noon.UnixMilli()

// moment is an event of a story, by the true time since its beginning, with what the terminal's clocks make of it.
type moment struct {
	at         int64 // true time
	wall       int64 // by how much the wall clock is wrong then
	confidence wire.ClockConfidence
	want       int64 // how far off the event's time may be
	source     TimeSource
}

// upload is a batch of a story: events of one boot, which the terminal sends later, maybe from another boot.
type upload struct {
	boot     byte // 1, 2, 3; 0: the terminal doesn't know
	started  int64
	fast     int64 // by so many parts in a million does the clock since boot run fast
	events   []moment
	received int64

	sender  byte  // the boot that sends; 0: it told nothing in its Hello
	began   int64 // when that boot began
	hello   int64 // when its Hello came
	late    int64 // how long that was on its way
	errorMS int64
}

func (u upload) batch(t *testing.T, first uint64) Batch {
	b := Batch{
		ID: shop, Epoch: [16]byte{15: u.boot}, Lane: wire.Lane_LANE_TELEMETRY, FirstSeq: first, Received: time.UnixMilli(truth + u.received),
	}
	for _, e := range u.events {
		c := &wire.Clock{WallUnixMs: proto.Int64(truth + e.at + e.wall), Confidence: e.confidence}
		if u.boot != 0 {
			since := e.at - u.started
			c.BootId, c.BootMs = boot16(u.boot), proto.Int64(since+since/1e6*u.fast)
		}
		event := marshal(t, &wire.Event{Clock: c, Body: &wire.Event_Host{Host: &wire.Host{}}})
		b.Records = append(b.Records, marshal(t, &wire.TelemetryBlock{Events: [][]byte{event}}))
	}
	if u.sender != 0 {
		b.Boot = hello(u.sender, u.hello-u.late-u.began, u.hello, u.errorMS)
	}
	return b
}

// hello returns what a gateway makes of a Hello.
func hello(boot byte, since, at, errorMS int64) *BootClock {
	return &BootClock{BootId: boot16(boot), BootMs: since, UnixMs: truth + at, ErrorMs: &errorMS, Source: byHello}
}

// Each story is what became of a terminal's clock. The times of its events must be as right as they say.
func TestStories(t *testing.T) {
	const m = 60 * second
	to1970 := -truth            // a wall clock that starts in 1970
	to2038 := 1<<31*1000 - m    // and, from truth on, one that soon leaves 32 bits
	wrong2038 := to2038 - truth // the error of that
	tests := []struct {
		name    string
		uploads []upload
	}{
		{"1970, online", []upload{{boot: 1, sender: 1, hello: m, errorMS: 40, received: 3 * m, events: []moment{
			{at: 0, wall: to1970, confidence: isUnset, source: byHello, want: 45}, {at: 2 * m, wall: to1970, confidence: isUnset, source: byHello, want: 55},
		}}}},
		{"over the end of 32 bits", []upload{{boot: 1, sender: 1, hello: m, errorMS: 40, received: 10 * m, events: []moment{
			{at: 0, wall: wrong2038, confidence: isRTC, source: byHello, want: 45}, {at: m - 1, wall: wrong2038, confidence: isRTC, source: byHello, want: 45},
			{at: m, wall: wrong2038, confidence: isRTC, source: byHello, want: 45}, {at: 9 * m, wall: wrong2038, confidence: isRTC, source: byHello, want: 100},
		}}}},
		{"two hours back between two events", []upload{{boot: 1, sender: 1, hello: 0, errorMS: 40, received: 3 * m, events: []moment{
			{at: m, wall: 2 * hour, confidence: isRTC, source: byHello, want: 50}, {at: m + 1, confidence: isNTP, source: byHello, want: 50}, {at: m + 2, confidence: isNTP, source: byHello, want: 50},
		}}}},
		{"a day ahead between two events", []upload{{boot: 1, sender: 1, hello: 0, errorMS: 40, received: 3 * m, events: []moment{
			{at: m, confidence: isNTP, source: byHello, want: 50}, {at: m + 1, wall: dayMS, confidence: isRTC, source: byHello, want: 50},
		}}}},
		{"set right in mid-run", []upload{
			{boot: 1, sender: 1, hello: 0, errorMS: 40, received: 2 * m, events: []moment{{at: m, wall: to1970, confidence: isUnset, source: byHello, want: 50}}},
			{boot: 1, sender: 1, hello: 0, errorMS: 40, received: 4 * m, events: []moment{{at: 3 * m, confidence: isNetwork, source: byHello, want: 60}}},
		}},
		{"connected once, then offline, then started again with its clock wrong", []upload{
			{boot: 1, sender: 1, hello: 0, errorMS: 40, received: m, events: []moment{{at: 0, confidence: isRTC, source: byHello, want: 40}}},
			{boot: 1, sender: 2, began: 50*hour - m, hello: 50 * hour, errorMS: 40, received: 50 * hour, events: []moment{
				{at: 24 * hour, confidence: isRTC, source: byHello, want: 40 + 8640}, {at: 48 * hour, confidence: isRTC, source: byHello, want: 40 + 17280},
			}},
			{boot: 2, started: 50*hour - m, sender: 2, began: 50*hour - m, hello: 50 * hour, errorMS: 40, received: 51 * hour, events: []moment{{at: 50*hour - m/2, wall: -50 * hour, confidence: isRTC, source: byHello, want: 50}}},
		}},
		{"a clock that runs 80 parts in a million fast, for ten days", []upload{{boot: 1, fast: 80, sender: 1, hello: 0, errorMS: 40, received: 11 * dayMS, events: []moment{
			{at: dayMS, wall: to1970, confidence: isUnset, source: byHello, want: 40 + 8640}, {at: 10 * dayMS, wall: to1970, confidence: isUnset, source: byHello, want: 40 + 86400},
		}}}},
		{"never connected in that boot, its clock right", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: 3 * second, confidence: isRTC, source: byRTC, want: 3 * second}, {at: 2 * hour, wall: 3 * second, confidence: isRTC, source: byRTC, want: 3 * second},
		}}}},
		{"never connected, two hours back between two events", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: 3 * hour, wall: hour, confidence: isRTC, source: byRTC, want: hour}, {at: 3*hour + m, wall: -hour, confidence: isRTC, source: byRTC, want: hour},
		}}}},
		{"never connected, set by NTP in mid-run", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: -9 * hour, confidence: isRTC, source: byNTP, want: 0}, {at: 2 * hour, confidence: isNTP, source: byNTP, want: 0}, {at: 3 * hour, wall: 7, confidence: isRTC, source: byNTP, want: 0},
		}}}},
		{"never connected, 1970, set by hand in mid-run", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: to1970, confidence: isUnset, source: byRTC, want: m}, {at: 2 * hour, wall: m, confidence: isRTC, source: byRTC, want: m},
		}}}},
		{"never connected, 1970", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: to1970, confidence: isUnset, source: bounds, want: 4 * hour}, {at: 2 * hour, wall: to1970, confidence: isUnset, source: bounds, want: 3 * hour},
		}}}},
		{"never connected, 2038", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: wrong2038, confidence: isRTC, source: bounds, want: 4 * hour}, {at: 2 * hour, wall: wrong2038, confidence: isRTC, source: bounds, want: 3 * hour},
		}}}},
		{"never connected, a wall clock later than the boot that sends", []upload{{boot: 1, sender: 2, began: 6 * hour, hello: 10 * hour, errorMS: 40, received: 10 * hour, events: []moment{
			{at: hour, wall: 8 * hour, confidence: isRTC, source: bounds, want: 5*hour + 40},
		}}}},
		{"an agent that tells nothing", []upload{{boot: 1, received: 5 * hour, events: []moment{
			{at: hour, wall: second, confidence: isRTC, source: byRTC, want: 2 * hour}, {at: 2 * hour, wall: -2 * hour, confidence: isRTC, source: byRTC, want: 2 * hour},
		}}}},
		{"an agent that knows no boot", []upload{{received: 5 * hour, events: []moment{
			{at: hour, wall: second, confidence: isRTC, source: byRTC, want: second}, {at: 2 * hour, wall: to1970, confidence: isUnset, source: bounds, want: 3 * hour},
		}}}},
		{"estimate, then a better one", []upload{
			{boot: 1, received: 2 * hour, events: []moment{{at: hour, wall: to1970, confidence: isUnset, source: bounds, want: hour}}},
			{boot: 1, received: 4 * hour, events: []moment{{at: 3 * hour, wall: second, confidence: isRTC, source: byRTC, want: second}}},
			{boot: 1, sender: 1, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{{at: 4 * hour, wall: second, confidence: isRTC, source: byHello, want: 400 + second}}},
		}},
		{"never connected, 1970, sent in two batches", []upload{
			{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 10 * hour, events: []moment{{at: hour, wall: to1970, confidence: isUnset, source: bounds, want: 4 * hour}}},
			{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 10 * hour, events: []moment{
				{at: 2 * hour, wall: to1970, confidence: isUnset, source: bounds, want: 3 * hour}, {at: 4 * hour, wall: to1970, confidence: isUnset, source: bounds, want: hour},
			}},
		}},
		{"never connected, a wall clock that later events contradict", []upload{{boot: 1, sender: 2, began: 5*hour - m, hello: 5 * hour, errorMS: 40, received: 5 * hour, events: []moment{
			{at: hour, wall: 3 * hour, confidence: isRTC, source: bounds, want: hour}, {at: 4 * hour, wall: to1970, confidence: isUnset, source: bounds, want: hour},
		}}}},
		{"Hello that was long on its way, and a quick one later", []upload{
			{boot: 1, sender: 1, hello: 9 * second, late: 9 * second, errorMS: 10 * second, received: m, events: []moment{{at: second, wall: to1970, confidence: isUnset, source: byHello, want: 10*second + 1}}},
			{boot: 1, sender: 1, hello: m, errorMS: 40, received: 2 * m, events: []moment{{at: m, wall: to1970, confidence: isUnset, source: byHello, want: 50}}},
		}},
		{"events close together, the Hellos of which differ", []upload{
			{boot: 1, sender: 1, hello: 9 * second, late: 9 * second, errorMS: 10 * second, received: m, events: []moment{{at: 20 * second, wall: to1970, confidence: isUnset, source: byHello, want: 10*second + 2}}},
			{boot: 1, sender: 1, hello: m, errorMS: 40, received: 2 * m, events: []moment{{at: 21 * second, wall: to1970, confidence: isUnset, source: byHello, want: 9 * second}}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, next := newLog(t), map[byte]uint64{}
			for _, u := range tt.uploads {
				for range 2 { // the second time it is known already, and changes nothing
					if _, err := l.Append(t.Context(), u.batch(t, next[u.boot]+1)); err != nil {
						t.Fatal(err)
					}
				}
				next[u.boot] += uint64(len(u.events))
			}
			stored := entries(t, l)
			if len(stored) != len(tt.uploads) {
				t.Fatalf("%d entries of %d batches", len(stored), len(tt.uploads))
			}
			last := map[byte]int64{}
			for i, u := range tt.uploads {
				times := NewTimes(stored[i])
				for j, record := range stored[i].Records {
					events, _ := Decode(wire.Lane_LANE_TELEMETRY, record)
					got, want := times.Of(events[0].Clock), u.events[j]
					off := got.UnixMS - truth - want.at
					if got.Source != want.source || distance(off, 0) > want.want || got.Bounded && distance(off, 0) > got.ErrorMS {
						t.Errorf("batch %d, event %d: %d ms off, ±%d (%v), by %v; want at most %d, by %v", i, j, off, got.ErrorMS, got.Bounded, got.Source, want.want, want.source)
					}
					if got.Bounded != (got.Source == byHello) {
						t.Errorf("batch %d, event %d: bounded %v, by %v", i, j, got.Bounded, got.Source)
					}
					if got.UnixMS < last[u.boot] && got.Source != bounds {
						t.Errorf("batch %d, event %d: before the event ahead of it", i, j)
					}
					last[u.boot] = max(last[u.boot], got.UnixMS)
				}
			}
		})
	}
}

// What is known of a boot's clock outlives the process, and belongs to one terminal.
func TestBootClocksAreKept(t *testing.T) {
	l := newLog(t)
	if err := l.KeepBoot(t.Context(), shop, hello(1, hour, 0, 40)); err != nil {
		t.Fatal(err)
	}
	path := l.db.Path()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u := upload{boot: 1, started: -hour, received: dayMS, events: []moment{{at: 0, wall: -truth, confidence: isUnset}}}
	mine, others := u.batch(t, 1), u.batch(t, 1)
	others.ID = identity.ID{Merchant: "m1", Terminal: "t2"}
	if _, err := l.Append(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	for i, want := range []TimeSource{byHello, bounds} {
		if boots := entries(t, l)[i].Boots; len(boots) != 1 || boots[0].Source != want {
			t.Errorf("terminal %d: its boot's clock is %v, want one by %v", i+1, boots, want)
		}
	}
}

func TestBetterBootClock(t *testing.T) {
	known := hello(1, 0, 0, 100)
	tests := []struct {
		name  string
		known *BootClock
		told  *BootClock
		want  bool
	}{
		{"nothing known", nil, hello(1, 0, 0, 100), true},
		{"the same", known, hello(1, 0, 0, 100), false},
		{"the same Hello, better known", known, hello(1, 0, -20, 99), true},
		{"more exact", known, hello(1, hour, hour, 50), true},
		{"less exact", known, hello(1, second, second, 101), false},
		{"less exact, a day later", known, hello(1, dayMS, dayMS, 8000), true},
		{"less exact, and it contradicts", known, hello(1, second, 400*second, 1000), true},
		{"over an estimate", &BootClock{BootId: boot16(1), UnixMs: truth, Source: byNTP}, hello(1, 0, 0, 60_000), true},
		{"without an error", known, &BootClock{BootId: boot16(1), UnixMs: truth, Source: byHello}, false},
		{"over one without an error", &BootClock{BootId: boot16(1), UnixMs: truth, Source: byHello}, known, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.told.betterThan(tt.known); got != tt.want {
				t.Errorf("betterThan = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBootClockIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*BootClock){
		"boot id":      func(b *BootClock) { b.BootId = b.BootId[1:] },
		"below 0":      func(b *BootClock) { b.BootMs = -1 },
		"too long":     func(b *BootClock) { b.BootMs = maxBootMS + 1 },
		"error":        func(b *BootClock) { b.ErrorMs = proto.Int64(-1) },
		"other source": func(b *BootClock) { b.Source = byNTP },
	} {
		t.Run(name, func(t *testing.T) {
			l, b := newLog(t), telemetry(t, 1, 1)
			b.Boot = hello(1, 0, 0, 40)
			spoil(b.Boot)
			if _, err := l.Append(t.Context(), b); err == nil {
				t.Error("Append took it")
			}
			if err := l.KeepBoot(t.Context(), shop, b.Boot); err == nil {
				t.Error("KeepBoot took it")
			}
		})
	}
}

// A batch of more boots than any terminal has is stored, and costs no more than one of a few.
func TestManyBootsInABatch(t *testing.T) {
	l, b := newLog(t), Batch{ID: shop, Epoch: epoch, Lane: wire.Lane_LANE_TELEMETRY, FirstSeq: 1, Received: noon}
	for i := range 200 {
		event := marshal(t, &wire.Event{
			Clock: &wire.Clock{BootId: boot16(byte(i)), BootMs: proto.Int64(1), WallUnixMs: proto.Int64(truth - hour), Confidence: isRTC},
			Body:  &wire.Event_Host{Host: &wire.Host{}},
		})
		b.Records = append(b.Records, marshal(t, &wire.TelemetryBlock{Events: [][]byte{event}}))
	}
	if _, err := one(t, l, b); err != nil {
		t.Fatal(err)
	}
	e := entries(t, l)[0]
	if len(e.Boots) != maxBoots {
		t.Errorf("%d boots are kept", len(e.Boots))
	}
	times := NewTimes(e)
	for i, record := range e.Records {
		events, _ := Decode(wire.Lane_LANE_TELEMETRY, record)
		if m := times.Of(events[0].Clock); m.UnixMS != truth-hour || m.Source != byRTC {
			t.Errorf("event %d: %+v", i, m)
		}
	}
}
