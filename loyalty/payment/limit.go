package payment

import (
	"maps"
	"math"
	"slices"
	"time"
)

// LimitKind is what is limited. The numbers are those of PaymentLimitKind in uplink/wire.
type LimitKind uint8

// The kinds of limits.
const (
	Amount LimitKind = 1 // of one stored payment, minor units
	Count  LimitKind = 2 // of stored payments
	Total  LimitKind = 3 // of the stored payments of one currency, minor units
	Age    LimitKind = 4 // of the oldest stored payment, seconds
)

// Limits is what a terminal watches. Nothing is refused because of a limit. What is 0, or not there, is not watched.
type Limits struct {
	Amounts map[string]int64 // by currency, minor units
	Count   int64
	Totals  map[string]int64 // by currency, minor units
	Age     time.Duration
}

// Limit names one of the limits.
type Limit struct {
	Kind     LimitKind
	Currency string // of Amount and Total
}

// Levels is how far limits are reached, in percent: 50, 80 or 100, where 100 stands for more. A limit that is not there is not
// reached to half.
type Levels map[Limit]uint32

// Stored is what is stored on a terminal.
type Stored struct {
	Count  int64
	Totals map[string]int64 // by currency, minor units
	Oldest time.Duration    // the age of the oldest payment; 0 when there is none
}

// Crossing says that a limit is reached to another level than before.
type Crossing struct {
	Limit
	Percent uint32 // the new level; 0 is less than half
	Used    int64  // in the limit's unit
	Allowed int64  // the limit
}

// percents are the levels, and relief is how many points below one what is stored has to fall before it is left: a shop that
// stores one payment and forwards one says nothing new.
var percents = [...]int64{100, 80, 50}

const relief = 10

// Watch returns how far the limits are reached now, given how far they were, and each limit whose level has changed: a
// crossing is told once. Crossings are in a fixed order.
func Watch(l Limits, s Stored, before Levels) (Levels, []Crossing) {
	now := Levels{}
	var crossed []Crossing
	look := func(kind LimitKind, currency string, used, allowed int64) {
		limit := Limit{kind, currency}
		was := before[limit]
		is := level(used, allowed, was)
		if is != 0 {
			now[limit] = is
		}
		if is != was {
			crossed = append(crossed, Crossing{limit, is, used, allowed})
		}
	}
	if l.Count > 0 {
		look(Count, "", s.Count, l.Count)
	}
	for _, currency := range slices.Sorted(maps.Keys(l.Totals)) {
		if allowed := l.Totals[currency]; allowed > 0 {
			look(Total, currency, s.Totals[currency], allowed)
		}
	}
	if allowed := int64(l.Age / time.Second); allowed > 0 {
		look(Age, "", int64(s.Oldest/time.Second), allowed)
	}
	return now, crossed
}

// OfAmount returns how far the limit of one payment is reached: 0, 50, 80 or 100 percent.
func (l Limits) OfAmount(minor int64, currency string) uint32 {
	return level(minor, l.Amounts[currency], 0)
}

// level returns the highest step that used has come to, or has not left yet.
func level(used, allowed int64, was uint32) uint32 {
	if allowed <= 0 {
		return 0
	}
	for _, step := range percents {
		need := step
		if int64(was) >= step {
			need -= relief
		}
		// used/allowed >= need/100 without an overflow: amounts may be up to 2^63 - 1.
		if whole := used / allowed; whole >= 1 || used%allowed >= part(allowed, need) {
			return uint32(step)
		}
	}
	return 0
}

// part returns percent of n, rounded up.
func part(n, percent int64) int64 {
	return n/100*percent + (n%100*percent+99)/100
}

// Moment is a point in time by the clocks of a terminal.
type Moment struct {
	WallMs  int64    // since 1970
	Trusted bool     // WallMs can be right
	BootMs  int64    // since boot
	Boot    [16]byte // zero: unknown
}

// longestMs is the longest time.Duration.
const longestMs = math.MaxInt64 / int64(time.Millisecond)

// AgeOf returns how long ago then was, or at least was: two moments of one boot are told apart by the clock that nobody can
// set. Where the wall clock can't be trusted then or now, all that is known of an earlier boot is that it was before this one.
func AgeOf(then, now Moment) time.Duration {
	known := then.Boot != [16]byte{} && now.Boot != [16]byte{}
	since := int64(0)
	switch {
	case known && then.Boot == now.Boot:
		since = now.BootMs - then.BootMs
	case then.Trusted && now.Trusted:
		since = now.WallMs - then.WallMs
	}
	if known && then.Boot != now.Boot {
		since = max(since, now.BootMs)
	}
	return time.Duration(min(max(since, 0), longestMs)) * time.Millisecond
}
