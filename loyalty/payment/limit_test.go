package payment

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestWatchTellsEachCrossingOnce(t *testing.T) {
	limits := Limits{Count: 500}
	levels := Levels(nil)
	for _, tt := range []struct {
		count int64
		want  []Crossing
	}{
		{0, nil},
		{249, nil},
		{250, []Crossing{{Limit{Count, ""}, 50, 250, 500}}},
		{251, nil},
		{249, nil}, // one was forwarded
		{250, nil},
		{399, nil},
		{400, []Crossing{{Limit{Count, ""}, 80, 400, 500}}},
		{600, []Crossing{{Limit{Count, ""}, 100, 600, 500}}},
		{5000, nil},
		{450, nil},
		{449, []Crossing{{Limit{Count, ""}, 80, 449, 500}}},
		{0, []Crossing{{Limit{Count, ""}, 0, 0, 500}}},
		{0, nil},
		{500, []Crossing{{Limit{Count, ""}, 100, 500, 500}}},
	} {
		now, got := Watch(limits, Stored{Count: tt.count}, levels)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%d: got %v, want %v", tt.count, got, tt.want)
		}
		levels = now
	}
}

func TestWatchEachLimit(t *testing.T) {
	limits := Limits{
		Amounts: map[string]int64{"EUR": 25_000},
		Count:   10,
		Totals:  map[string]int64{"EUR": 100_00, "JPY": 1250, "USD": 0},
		Age:     24 * time.Hour,
	}
	stored := Stored{Count: 8, Totals: map[string]int64{"EUR": 49_99, "JPY": 1250, "USD": 1e12, "CHF": 1e12}, Oldest: 12 * time.Hour}
	levels, crossed := Watch(limits, stored, nil)
	want := []Crossing{
		{Limit{Count, ""}, 80, 8, 10},
		{Limit{Total, "JPY"}, 100, 1250, 1250},
		{Limit{Age, ""}, 50, 12 * 3600, 24 * 3600},
	}
	if !reflect.DeepEqual(crossed, want) {
		t.Errorf("got %v, want %v", crossed, want)
	}
	if len(levels) != 3 || levels[Limit{Total, "JPY"}] != 100 {
		t.Errorf("levels %v", levels)
	}
	if _, again := Watch(limits, stored, levels); again != nil {
		t.Errorf("told again: %v", again)
	}
	if now, crossed := Watch(Limits{}, stored, levels); len(now) != 0 || crossed != nil {
		t.Errorf("what is not watched: %v, %v", now, crossed)
	}
	for minor, want := range map[int64]uint32{12_499: 0, 12_500: 50, 20_000: 80, 25_000: 100, math.MaxInt64: 100} {
		if got := limits.OfAmount(minor, "EUR"); got != want {
			t.Errorf("%d: %d %%, want %d %%", minor, got, want)
		}
	}
	if got := limits.OfAmount(1e12, "USD"); got != 0 {
		t.Errorf("a currency that has no limit is at %d %%", got)
	}
}

func TestLevelsOfOddLimits(t *testing.T) {
	for _, tt := range []struct {
		used, allowed int64
		want          uint32
	}{
		{0, 1, 0}, {1, 1, 100}, {1, 2, 50}, {1, 3, 0}, {2, 3, 50}, {3, 4, 50}, {4, 5, 80},
		{math.MaxInt64, math.MaxInt64, 100}, {math.MaxInt64 - 1, math.MaxInt64, 80}, {math.MaxInt64 / 2, math.MaxInt64, 0},
		{5, 0, 0}, {5, -1, 0},
	} {
		if got := level(tt.used, tt.allowed, 0); got != tt.want {
			t.Errorf("%d of %d: %d %%, want %d %%", tt.used, tt.allowed, got, tt.want)
		}
	}
}

func TestAgeOf(t *testing.T) {
	one, other := [16]byte{1}, [16]byte{2}
	const hour = 3_600_000
	for _, tt := range []struct {
		name      string
		then, now Moment
		want      time.Duration
	}{
		{"one boot", Moment{BootMs: hour, Boot: one}, Moment{BootMs: 3 * hour, Boot: one}, 2 * time.Hour},
		{"one boot, and the clock was set", Moment{BootMs: hour, Boot: one}, Moment{WallMs: 1_790_000_000_000, Trusted: true, BootMs: 3 * hour, Boot: one}, 2 * time.Hour},
		{"another boot, clocks trusted", Moment{WallMs: hour, Trusted: true, Boot: one}, Moment{WallMs: 5 * hour, Trusted: true, BootMs: hour, Boot: other}, 4 * time.Hour},
		{"another boot, and it was in 1970", Moment{WallMs: hour, Boot: one}, Moment{WallMs: 1_790_000_000_000, Trusted: true, BootMs: hour, Boot: other}, time.Hour},
		{"another boot, and the clock went back", Moment{WallMs: 5 * hour, Trusted: true, Boot: one}, Moment{WallMs: hour, Trusted: true, BootMs: hour, Boot: other}, time.Hour},
		{"boots unknown", Moment{WallMs: hour, Trusted: true, BootMs: hour}, Moment{WallMs: 2 * hour, Trusted: true, BootMs: 3 * hour}, time.Hour},
		{"nothing known", Moment{WallMs: hour}, Moment{WallMs: 2 * hour, BootMs: 3 * hour}, 0},
		{"after now", Moment{BootMs: hour, Boot: one}, Moment{Boot: one}, 0},
		{"beyond all bounds", Moment{Trusted: true, Boot: one}, Moment{WallMs: math.MaxInt64, Trusted: true, Boot: other}, time.Duration(longestMs) * time.Millisecond},
	} {
		if got := AgeOf(tt.then, tt.now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
