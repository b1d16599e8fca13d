package loyalty

import "time"

// Now is the time at which something is decided, by every clock of the terminal that decides.
type Now struct {
	Wall   Moment         // known only when it was checked against the network, the backend or NTP
	Uptime Uptime         // unknown where there is no monotonic clock
	Zone   *time.Location // the shop's; nil: UTC
}

// Counts are how often something happened that a programme limits, as the caller counted it.
type Counts struct {
	TerminalHour int32 // awards by this terminal in the last hour
	OperatorHour int32 // awards by this operator in the last hour; 0 when there is no operator
	ManualDay    int32 // awards for no sale by this terminal in this day of the shop
	Manual       bool  // whether this award is for no sale
}

// Reason is why stamps were not given. The values reach the wire.
type Reason uint8

// All reasons. The zero value is none.
const (
	ReasonNone          Reason = 0
	ReasonTooSoon       Reason = 1 // the last award is less than the programme's gap ago
	ReasonMaxPerDay     Reason = 2 // the account has had its awards of the day
	ReasonTerminalHour  Reason = 3 // the terminal has given its awards of the hour
	ReasonOperatorHour  Reason = 4 // the operator has given their awards of the hour
	ReasonManualDay     Reason = 5 // the terminal has given its awards by hand of the day
	ReasonMinimumSpend  Reason = 6 // the purchase earns nothing
	ReasonAccountErased Reason = 7 // the member is forgotten
)

// Verdict is what velocity says about an award.
type Verdict struct {
	Reason     Reason        // why it is refused; ReasonNone: it is not
	RetryAfter time.Duration // in whole seconds, rounded up, when the time for it is known; 0: it is not
	Unverified bool          // clocks don't tell: it is given, marked, and the backend looks at it
}

// skew is by how much two terminals with checked clocks may differ.
const skew = 2 * time.Minute

// answer is what clocks say about a day.
type answer uint8

const (
	no      answer = 1
	yes     answer = 2
	unknown answer = 3
)

// Judge says whether an account may be given stamps now. visits are its awards that were not taken back, as many as are
// known, in any order: those of this terminal with their Uptime.
//
// Inside one boot the monotonic clock tells how long ago an award was, whatever was done to the wall clock. Otherwise the
// wall clock does, where it was checked both then and now. Where neither does, the award is given and Unverified is set:
// an untrusted clock costs no member a stamp. A day is one of the shop's calendar, and so has 23 or 25 hours at times.
func Judge(p Programme, visits []Visit, counts Counts, now Now) Verdict {
	v := judgeCounts(p, counts)
	if v.Reason != ReasonNone {
		return v
	}
	unverified := false
	var wait time.Duration
	for _, visit := range visits {
		ago, ok := elapsed(visit, now)
		if !ok {
			unverified = unverified || p.minGap() > 0
		} else if ago < p.minGap() {
			wait = max(wait, p.minGap()-ago)
		}
	}
	if wait > 0 {
		return Verdict{Reason: ReasonTooSoon, RetryAfter: wholeSeconds(wait)}
	}
	if limit := p.maxPerDay(); limit > 0 {
		sure, maybe := int32(0), int32(0)
		for _, visit := range visits {
			switch today(visit, now) {
			case yes:
				sure++
			case unknown:
				maybe++
			}
		}
		if sure >= limit {
			return Verdict{Reason: ReasonMaxPerDay, RetryAfter: untilMidnight(now)}
		}
		unverified = unverified || sure+maybe >= limit
	}
	return Verdict{Unverified: unverified}
}

func judgeCounts(p Programme, c Counts) Verdict {
	switch {
	case p.MaxPerTerminalHour > 0 && c.TerminalHour >= p.MaxPerTerminalHour:
		return Verdict{Reason: ReasonTerminalHour}
	case p.MaxPerOperatorHour > 0 && c.OperatorHour >= p.MaxPerOperatorHour:
		return Verdict{Reason: ReasonOperatorHour}
	case p.MaxManualPerDay > 0 && c.Manual && c.ManualDay >= p.MaxManualPerDay:
		return Verdict{Reason: ReasonManualDay}
	}
	return Verdict{}
}

// elapsed returns how long ago a visit was, and false when no clock tells.
func elapsed(v Visit, now Now) (time.Duration, bool) {
	if ms, ok := now.Uptime.since(v.Uptime); ok && ms >= 0 {
		return milliseconds(ms), true
	}
	if !now.Wall.Known || !v.At.Known {
		return 0, false
	}
	ago := milliseconds(now.Wall.UnixMs - v.At.UnixMs)
	return max(ago, 0), ago > -skew
}

// milliseconds returns n milliseconds, as many as a duration holds.
func milliseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(n, -most), most)) * time.Millisecond
}

// today says whether a visit was in this day of the shop. Without a checked wall clock, it was not when a whole day, with
// the hour that one may be longer, has gone by since.
func today(v Visit, now Now) answer {
	ago, ok := elapsed(v, now)
	switch {
	case !ok:
		return unknown
	case ago > 25*time.Hour:
		return no
	case !now.Wall.Known:
		return unknown
	}
	at := now.in(now.Wall.UnixMs - ago.Milliseconds())
	y, m, d := at.Date()
	if ny, nm, nd := now.in(now.Wall.UnixMs).Date(); y != ny || m != nm || d != nd {
		return no
	}
	return yes
}

// untilMidnight returns how long the day of the shop still is.
func untilMidnight(now Now) time.Duration {
	t := now.in(now.Wall.UnixMs)
	y, m, d := t.Date()
	return wholeSeconds(time.Date(y, m, d+1, 0, 0, 0, 0, t.Location()).Sub(t))
}

func (n Now) in(unixMs int64) time.Time {
	zone := n.Zone
	if zone == nil {
		zone = time.UTC
	}
	return time.UnixMilli(unixMs).In(zone)
}

func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
