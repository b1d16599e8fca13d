package loyalty_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the same days wherever the tests run

	"github.com/stampd/stampd/loyalty"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func moment(t *testing.T, rfc3339 string) loyalty.Moment {
	t.Helper()
	at, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		t.Fatal(err)
	}
	return loyalty.At(at.UnixMilli())
}

func up(boot byte, d time.Duration) loyalty.Uptime {
	return loyalty.Uptime{Boot: loyalty.BootID{boot}, Ms: d.Milliseconds(), Known: true}
}

func TestJudgeGap(t *testing.T) {
	p := nine
	ten := moment(t, "2026-05-04T10:00:00Z")
	later := func(d time.Duration) loyalty.Moment { return loyalty.At(ten.UnixMs + d.Milliseconds()) }
	const minute = time.Minute
	var unknown loyalty.Moment
	first := loyalty.Visit{At: ten, Uptime: up(1, 0)}
	for _, c := range []struct {
		name   string
		visits []loyalty.Visit
		now    loyalty.Now
		want   loyalty.Verdict
	}{
		{"the first", nil, loyalty.Now{Wall: ten}, loyalty.Verdict{}},
		{"10:14:59", []loyalty.Visit{first}, loyalty.Now{Wall: later(15*minute - time.Second), Uptime: up(1, 15*minute-time.Second)}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: time.Second}},
		{"10:15:00", []loyalty.Visit{first}, loyalty.Now{Wall: later(15 * minute), Uptime: up(1, 15*minute)}, loyalty.Verdict{}},
		{"half a second is a whole one", []loyalty.Visit{first}, loyalty.Now{Uptime: up(1, 15*minute-500*time.Millisecond)}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: time.Second}},
		{"clock stepped back two hours, 16 minutes later", []loyalty.Visit{first}, loyalty.Now{Wall: later(16*minute - 2*time.Hour), Uptime: up(1, 16*minute)}, loyalty.Verdict{}},
		{"clock stepped forth two hours, 14 minutes later", []loyalty.Visit{first}, loyalty.Now{Wall: later(14*minute + 2*time.Hour), Uptime: up(1, 14*minute)}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: minute}},
		{"reboot, clock at 1970", []loyalty.Visit{first}, loyalty.Now{Wall: unknown, Uptime: up(2, minute)}, loyalty.Verdict{Unverified: true}},
		{"reboot, clock checked, too soon", []loyalty.Visit{first}, loyalty.Now{Wall: later(5 * minute), Uptime: up(2, minute)}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: 10 * minute}},
		{"reboot, clock checked, late enough", []loyalty.Visit{first}, loyalty.Now{Wall: later(20 * minute), Uptime: up(2, minute)}, loyalty.Verdict{}},
		{"clock was not checked then", []loyalty.Visit{{Uptime: up(1, 0)}}, loyalty.Now{Wall: later(5 * minute), Uptime: up(2, minute)}, loyalty.Verdict{Unverified: true}},
		{"another terminal, a little ahead", []loyalty.Visit{{At: later(minute)}}, loyalty.Now{Wall: ten}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: 15 * minute}},
		{"another terminal, an hour ahead", []loyalty.Visit{{At: later(60 * minute)}}, loyalty.Now{Wall: ten}, loyalty.Verdict{Unverified: true}},
		{"one known, one not: too soon all the same", []loyalty.Visit{{}, first}, loyalty.Now{Wall: later(minute)}, loyalty.Verdict{Reason: loyalty.ReasonTooSoon, RetryAfter: 14 * minute}},
		{"times that no clock shows", []loyalty.Visit{{At: loyalty.At(-1 << 62)}}, loyalty.Now{Wall: ten}, loyalty.Verdict{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := loyalty.Judge(p, c.visits, loyalty.Counts{}, c.now); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	p.MinGap = new(time.Duration(0))
	if got := loyalty.Judge(p, []loyalty.Visit{first}, loyalty.Counts{}, loyalty.Now{Wall: ten}); got != (loyalty.Verdict{}) {
		t.Errorf("without a gap: %+v", got)
	}
}

func TestJudgeDay(t *testing.T) {
	p := nine
	p.MaxStampsPerPurchase, p.MinGap = 1, new(time.Duration(0)) // one award a day
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		name      string
		then, now string // in RFC 3339
		zone      *time.Location
		reason    loyalty.Reason
		retry     time.Duration
	}{
		{"same day", "2026-05-04T08:00:00+02:00", "2026-05-04T20:00:00+02:00", berlin, loyalty.ReasonMaxPerDay, 4 * time.Hour},
		{"past midnight in the shop, not in UTC", "2026-05-04T23:59:59+02:00", "2026-05-05T00:00:00+02:00", berlin, 0, 0},
		{"past midnight in UTC, not in the shop", "2026-05-04T01:00:00+02:00", "2026-05-04T03:00:00+02:00", berlin, loyalty.ReasonMaxPerDay, 21 * time.Hour},
		{"a day of 23 hours", "2026-03-29T00:00:00+01:00", "2026-03-29T23:00:00+02:00", berlin, loyalty.ReasonMaxPerDay, time.Hour},
		{"23 hours later, the day is over", "2026-03-29T00:30:00+01:00", "2026-03-30T00:30:00+02:00", berlin, 0, 0},
		{"a day of 25 hours", "2026-10-25T00:00:00+02:00", "2026-10-25T23:30:00+01:00", berlin, loyalty.ReasonMaxPerDay, 30 * time.Minute},
		{"wait through the hour that comes twice", "2026-10-25T00:00:00+02:00", "2026-10-25T01:00:00+02:00", berlin, loyalty.ReasonMaxPerDay, 24 * time.Hour},
		{"no zone is UTC", "2026-05-04T23:59:59Z", "2026-05-05T00:00:00Z", nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			visits := []loyalty.Visit{{At: moment(t, c.then)}}
			want := loyalty.Verdict{Reason: c.reason, RetryAfter: c.retry}
			if got := loyalty.Judge(p, visits, loyalty.Counts{}, loyalty.Now{Wall: moment(t, c.now), Zone: c.zone}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	hours := func(n int) loyalty.Now { return loyalty.Now{Uptime: up(1, time.Duration(n)*time.Hour)} }
	first := []loyalty.Visit{{Uptime: up(1, 0)}}
	if got := loyalty.Judge(p, first, loyalty.Counts{}, hours(20)); !got.Unverified || got.Reason != 0 {
		t.Errorf("20 hours later by an unset clock: %+v", got)
	}
	if got := loyalty.Judge(p, first, loyalty.Counts{}, hours(26)); got != (loyalty.Verdict{}) {
		t.Errorf("26 hours later by an unset clock: %+v", got)
	}
	if got := loyalty.Judge(nine, first, loyalty.Counts{}, hours(20)); got != (loyalty.Verdict{}) {
		t.Errorf("where a purchase may earn several: %+v", got)
	}
}

func TestJudgeCounts(t *testing.T) {
	p := nine
	p.MaxPerTerminalHour, p.MaxPerOperatorHour, p.MaxManualPerDay = 30, 20, 2
	for _, c := range []struct {
		counts loyalty.Counts
		want   loyalty.Reason
	}{
		{loyalty.Counts{TerminalHour: 29, OperatorHour: 19, ManualDay: 2}, 0},
		{loyalty.Counts{TerminalHour: 30}, loyalty.ReasonTerminalHour},
		{loyalty.Counts{OperatorHour: 20}, loyalty.ReasonOperatorHour},
		{loyalty.Counts{ManualDay: 2, Manual: true}, loyalty.ReasonManualDay},
	} {
		if got := loyalty.Judge(p, nil, c.counts, loyalty.Now{}); got.Reason != c.want {
			t.Errorf("%+v: %+v, want reason %d", c.counts, got, c.want)
		}
	}
}
