package readiness

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// What a limit is told as when it is reached, and nearly.
const (
	hintLimit = "bring the terminal online, so that the stored payments can be forwarded"
	nearly    = 80 // percent
)

// limits says how many payments more may be stored at the merchant's risk. Nothing is refused because of a limit: that it is
// reached means that no more should be stored.
func (f *Facts) limits() []*wire.ReadinessReason {
	l, s := f.Limits, f.Stored
	if l.Count <= 0 && len(l.Totals) == 0 && l.Age < time.Second {
		return reasons(wire.ReadinessCode_READINESS_CODE_LIMITS, degraded, "no limit of stored payments is set, and none is watched",
			"set payments.max_count, max_total or max_age to what the acquirer allows")
	}
	if s == nil {
		return reasons(wire.ReadinessCode_READINESS_CODE_LIMITS, unknown, "it is not known what is stored at the merchant's risk", "see the agent's log")
	}
	var found []*wire.ReadinessReason
	if l.Count > 0 {
		r := limited(wire.ReadinessCode_READINESS_CODE_LIMIT_COUNT, s.Count, l.Count)
		r.Text = fmt.Sprintf("%d of %d payments are stored", s.Count, l.Count)
		found = append(found, r)
	}
	for _, currency := range slices.Sorted(maps.Keys(l.Totals)) {
		used, allowed := s.Totals[currency], l.Totals[currency]
		if allowed <= 0 {
			continue
		}
		r := limited(wire.ReadinessCode_READINESS_CODE_LIMIT_TOTAL, used, allowed)
		r.Currency = currency
		r.Text = fmt.Sprintf("%d percent of what may be stored in %s is stored", percent(used, allowed), currency)
		found = append(found, r)
	}
	if allowed := l.Age; allowed >= time.Second {
		oldest := max(s.Oldest, 0)
		r := limited(wire.ReadinessCode_READINESS_CODE_LIMIT_AGE, int64(oldest/time.Second), int64(allowed/time.Second))
		r.UntilUnixMs = f.in(max(allowed-oldest, 0))
		switch {
		case s.Count == 0:
			r.Text = "nothing is stored: a payment that is stored now can be forwarded for " + cli.Span(allowed)
		case r.GetLeft() == 0:
			r.Text = "the oldest stored payment is older than " + cli.Span(allowed) + ", and may be declined"
		default:
			r.Text = "the oldest stored payment can be forwarded for another " + cli.Span(allowed-oldest)
		}
		found = append(found, r)
	}
	return found
}

// limited returns a reason for what is used of a limit.
func limited(code wire.ReadinessCode, used, allowed int64) *wire.ReadinessReason {
	used = max(used, 0)
	r := &wire.ReadinessReason{Code: code, Readiness: ready, Left: new(max(allowed-used, 0))}
	switch {
	case used >= allowed:
		r.Readiness, r.Hint = notReady, hintLimit
	case percent(used, allowed) >= nearly:
		r.Readiness, r.Hint = degraded, hintLimit
	}
	return r
}

// percent returns used of allowed, up to 100, for amounts up to 2^63 - 1.
func percent(used, allowed int64) int64 {
	switch {
	case used <= 0:
		return 0
	case used >= allowed:
		return 100
	case allowed >= 100<<32:
		return used / (allowed / 100)
	}
	return used * 100 / allowed
}
