package gateway

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// However the delay was shared out between the ways there and back, the true time is within the error.
func TestHelloTiesTheClocks(t *testing.T) {
	const ms = time.Millisecond
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name              string
		there, work, back time.Duration
		told              bool
		error             time.Duration // at most
	}{
		{"at once", 0, 0, 0, true, 4 * ms},
		{"even", 100 * ms, 0, 100 * ms, true, 105 * ms},
		{"slow there", 900 * ms, 0, 10 * ms, true, 460 * ms},
		{"slow back", 10 * ms, 0, 900 * ms, true, 460 * ms},
		{"slow to work", 10 * ms, 2 * time.Second, 10 * ms, true, 15 * ms},
		{"not told", 900 * ms, 0, 10 * ms, false, time.Minute},
		{"absurd", 900 * ms, 0, 10 * time.Hour, true, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stream{Gateway: &Gateway{}}
			s.greet(&wire.Hello{BootId: make([]byte, 16), Clock: &wire.Clock{BootMs: proto.Int64(5000)}}, at.Add(tt.there))
			s.welcomed = s.greeted.Add(tt.work)
			b := &wire.Batch{}
			if tt.told {
				b.RoundTripMs = proto.Uint32(uint32((tt.there + tt.work + tt.back).Milliseconds()))
			}
			s.refine(nil)
			s.refine(b)
			s.refine(&wire.Batch{RoundTripMs: proto.Uint32(0)}) // of a later batch, which has no say
			if tt.told && s.boot.GetErrorMs() < tt.error.Milliseconds()/3 {
				t.Errorf("error is %d ms", s.boot.GetErrorMs())
			}
			off := time.UnixMilli(s.boot.UnixMs).Sub(at)
			if s.boot.BootMs != 5000 || s.boot.GetErrorMs() > tt.error.Milliseconds() || off.Abs().Milliseconds() > s.boot.GetErrorMs() {
				t.Errorf("%v off, ± %d ms; want at most %v", off, s.boot.GetErrorMs(), tt.error)
			}
		})
	}
}

// A terminal that does not tell its clocks, or not all, is served all the same.
func TestHelloClocks(t *testing.T) {
	b := start(t)
	for i, tt := range []struct {
		name  string
		boot  []byte
		clock *wire.Clock
		code  codes.Code
	}{
		{name: "none"},
		{name: "a boot alone", boot: make([]byte, 16)},
		{name: "a clock alone", clock: &wire.Clock{BootMs: proto.Int64(1)}},
		{name: "without time since boot", boot: make([]byte, 16), clock: &wire.Clock{WallUnixMs: proto.Int64(math.MinInt64)}},
		{name: "all", boot: make([]byte, 16), clock: &wire.Clock{BootMs: proto.Int64(maxBootMS), WallUnixMs: proto.Int64(math.MaxInt64), Confidence: 99}},
		{name: "below 0", boot: make([]byte, 16), clock: &wire.Clock{BootMs: proto.Int64(-1)}, code: codes.InvalidArgument},
		{name: "too long", boot: make([]byte, 16), clock: &wire.Clock{BootMs: proto.Int64(maxBootMS + 1)}, code: codes.InvalidArgument},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := string(rune('a' + i))
			m := b.connect("m1", name)
			h := greeting(name)
			h.BootId, h.Clock = tt.boot, tt.clock
			m.hello(h)
			if tt.code != codes.OK {
				m.refused(tt.code)
				return
			}
			m.welcome()
			m.send(readings(t, 1, 1))
			if a := m.ack(); a.Through != 1 {
				t.Errorf("acknowledged %v", a)
			}
			m.close()
		})
	}
}
