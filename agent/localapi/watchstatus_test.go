package localapi

import (
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

func TestAgeOf(t *testing.T) {
	const rtc, never = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC, wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
	clock := func(boot string, bootMs, wallMs int64, c wire.ClockConfidence) *wire.Clock {
		return &wire.Clock{BootId: []byte(boot), BootMs: &bootMs, WallUnixMs: &wallMs, Confidence: c}
	}
	now := clock("b", 5000, 90_000, rtc)
	tests := map[string]struct {
		then, now *wire.Clock
		want      *int64
	}{
		"same boot":                        {clock("b", 1000, 50_000, rtc), now, new(int64(4000))},
		"same boot, clock set meanwhile":   {clock("b", 1000, 999_000, never), now, new(int64(4000))},
		"just now":                         {clock("b", 5000, 90_000, rtc), now, new(int64(0))},
		"from the future of the same boot": {clock("b", 6000, 50_000, rtc), now, nil},
		"another boot":                     {clock("a", 1000, 50_000, rtc), now, new(int64(40_000))},
		"another boot, clock never set":    {clock("a", 1000, 50_000, never), now, nil},
		"clock never set since":            {clock("a", 1000, 50_000, rtc), clock("b", 5000, 90_000, never), nil},
		"clock put back":                   {clock("a", 1000, 95_000, rtc), now, nil},
		"nobody knows which boots":         {clock("", 1000, 50_000, rtc), clock("", 5000, 90_000, rtc), new(int64(40_000))},
		"no clock":                         {nil, now, nil},
		"no times":                         {new(wire.Clock), now, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ageOf(tt.then, tt.now)
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("age = %v, want %v", got, tt.want)
			}
		})
	}
}
