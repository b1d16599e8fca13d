package eventlog

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// Short names of what the tests are about.
const (
	bounds  = TimeSource_TIME_SOURCE_BOUNDS
	byRTC   = TimeSource_TIME_SOURCE_RTC
	byNTP   = TimeSource_TIME_SOURCE_NTP
	byHello = TimeSource_TIME_SOURCE_BACKEND

	isUnset   = wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	isRTC     = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
	isNetwork = wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK
	isNTP     = wire.ClockConfidence_CLOCK_CONFIDENCE_NTP

	second = int64(1000)
	hour   = 3600 * second
	dayMS  = 24 * hour
)

// boot16 returns a boot id.
func boot16(n byte) []byte { return append(make([]byte, 15), n) }

func TestMoments(t *testing.T) {
	received := noon.UnixMilli()
	clock := func(wall int64, boot int64, confidence wire.ClockConfidence) *wire.Clock {
		return &wire.Clock{WallUnixMs: &wall, BootMs: &boot, BootId: boot16(1), Confidence: confidence}
	}
	alone := func(wall int64, confidence wire.ClockConfidence) *wire.Clock {
		return &wire.Clock{WallUnixMs: &wall, Confidence: confidence}
	}
	known := []*BootClock{{BootId: boot16(1), BootMs: 10 * hour, UnixMs: received - 2*hour, ErrorMs: proto.Int64(50), Source: byHello}}
	guessed := []*BootClock{{BootId: boot16(1), BootMs: 10 * hour, UnixMs: received - 2*hour, Source: byRTC}}
	want := func(ms int64, source TimeSource) Moment { return Moment{UnixMS: ms, Source: source} }
	within := func(ms, err int64) Moment {
		return Moment{UnixMS: ms, Source: byHello, ErrorMS: err, Bounded: true}
	}
	tests := []struct {
		name  string
		boots []*BootClock
		last  int64
		clock *wire.Clock
		want  Moment
	}{
		{"no clock", known, 0, nil, want(received, bounds)},
		{"a clock that tells nothing", known, 0, &wire.Clock{}, want(received, bounds)},
		{"wall clock alone", nil, 0, alone(received-hour, isRTC), want(received-hour, byRTC)},
		{"wall clock by NTP", nil, 0, alone(received-hour, isNTP), want(received-hour, byNTP)},
		{"wall clock by the network", nil, 0, alone(received-hour, isNetwork), want(received-hour, TimeSource_TIME_SOURCE_NETWORK)},
		{"wall clock that was never set", nil, 0, alone(received-hour, isUnset), want(received, bounds)},
		{"wall clock of unknown worth", nil, 0, alone(received-hour, 0), want(received, bounds)},
		{"wall clock of a newer kind", nil, 0, alone(received-hour, 99), want(received, bounds)},
		{"wall clock in 1970", nil, 0, alone(0, isNTP), want(received, bounds)},
		{"wall clock before 2024", nil, 0, alone(oldestWall-1, isRTC), want(received, bounds)},
		{"wall clock in 2024", nil, 0, alone(oldestWall, isRTC), want(oldestWall, byRTC)},
		{"wall clock somewhat ahead", nil, 0, alone(received+wallAhead, isRTC), want(received, byRTC)},
		{"wall clock too far ahead", nil, 0, alone(received+wallAhead+1, isRTC), want(received, bounds)},
		{"wall clock in 2038", nil, 0, alone(1<<31*1000, isNTP), want(received, bounds)},
		{"wall clock at the end of time", nil, 0, alone(math.MaxInt64, isNTP), want(received, bounds)},
		{"wall clock at its beginning", nil, 0, alone(math.MinInt64, isNTP), want(received, bounds)},

		{"boot's clock", known, 0, clock(0, 10*hour, isUnset), within(received-2*hour, 50)},
		{"boot's clock, an hour after the Hello", known, 0, clock(1<<31*1000, 11*hour, isUnset), within(received-hour, 50+360)},
		{"boot's clock, ten hours before", known, 0, clock(received-hour, 0, isNTP), within(received-12*hour, 50+3600)},
		{"boot's clock, after it was received", known, 0, clock(0, 12*hour+1, isUnset), within(received, 50+720)},
		{"boot's clock as an estimate", guessed, 0, clock(received-hour, 9*hour, isNTP), want(received-3*hour, byRTC)},
		{"boot that nobody knows", nil, 0, clock(received-hour, 9*hour, isRTC), want(received-hour, byRTC)},
		{"boot that nobody knows, unset", nil, 0, clock(5, 9*hour, isUnset), want(received, bounds)},
		{"time since boot below 0", known, 0, clock(received-hour, -1, isRTC), want(received-hour, byRTC)},
		{"time since boot at the end of time", known, 0, clock(received-hour, math.MaxInt64, isRTC), want(received-hour, byRTC)},
		{"short boot id", known, 0, &wire.Clock{BootMs: proto.Int64(0), BootId: []byte{1}}, want(received, bounds)},

		{"a moment behind the event before", known, received - 2*hour + 700, clock(0, 10*hour, isUnset), within(received-2*hour+700, 750)},
		{"behind by more than an error can be", known, received - hour, clock(0, 10*hour, isUnset), within(received-2*hour, 50)},
		{"wall clock two hours back", nil, received - hour, alone(received-3*hour, isRTC), want(received-hour, byRTC)},
		{"the event before was after this one was received", nil, received + dayMS, alone(received-hour, isRTC), want(received, byRTC)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &Entry{ReceivedUnixMs: received, Boots: tt.boots, LastUnixMs: tt.last}
			got := NewTimes(e).Of(tt.clock)
			if !got.Bounded {
				got.ErrorMS = 0
			}
			if got != tt.want {
				t.Errorf("Of = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// What is known of no time at all doesn't move the times of those behind it.
func TestUnknownTimeMovesNoOther(t *testing.T) {
	received := noon.UnixMilli()
	times := NewTimes(&Entry{ReceivedUnixMs: received})
	at := func(ms int64) *wire.Clock { return &wire.Clock{WallUnixMs: &ms, Confidence: isRTC} }
	for i, step := range []struct{ wall, want int64 }{
		{received - 3*hour, received - 3*hour}, {0, received}, {received - 2*hour, received - 2*hour},
		{received - 4*hour, received - 2*hour}, {received - hour, received - hour},
	} {
		if got := times.Of(at(step.wall)); got.UnixMS != step.want {
			t.Errorf("event %d: %d ms before it was received, want %d", i, received-got.UnixMS, received-step.want)
		}
	}
}

// Whatever the clocks show, an event is not after it was received, and those of one entry stand in their order.
func FuzzTimes(f *testing.F) {
	f.Add(int64(0), int64(5), int64(0), int64(-7200_000), uint8(2), int64(40))
	f.Add(int64(1<<31*1000), int64(5), noon.UnixMilli(), int64(1), uint8(4), int64(-1))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), int64(math.MaxInt64), uint8(3), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, wall, boot, last, step int64, confidence uint8, by int64) {
		received := noon.UnixMilli()
		e := &Entry{ReceivedUnixMs: received, LastUnixMs: last, Boots: []*BootClock{{BootId: boot16(1), BootMs: 5, UnixMs: received - hour, Source: byRTC}}}
		times, before := NewTimes(e), int64(math.MinInt64)
		for range 3 {
			m := times.Of(&wire.Clock{WallUnixMs: &wall, BootMs: &boot, BootId: boot16(1), Confidence: wire.ClockConfidence(confidence)})
			if m.UnixMS > received || m.Source == TimeSource_TIME_SOURCE_UNSPECIFIED {
				t.Fatalf("%+v, received at %d", m, received)
			}
			if m.Source != bounds && m.UnixMS < before {
				t.Fatalf("%+v is before %d", m, before)
			}
			if m.Source != bounds {
				before = m.UnixMS
			}
			wall += step
			boot += by
		}
	})
}
