package readiness

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

var now = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

// at returns a moment after now, in milliseconds since 1970.
func at(d time.Duration) *int64 { return new(now.Add(d).UnixMilli()) }

// fine is a terminal that is ready for everything, until its leases end in two hours.
func fine() Facts {
	return Facts{
		Now:         now,
		Clock:       wire.ClockConfidence_CLOCK_CONFIDENCE_NTP,
		Queue:       Queue{Opened: true, Room: new(int64(12345 * RecordBytes)), ReadOnly: new(false)},
		QueueKey:    Present,
		MemberKey:   Present,
		Limits:      payment.Limits{Count: 500, Totals: map[string]int64{"EUR": 500_000}, Age: 24 * time.Hour},
		Stored:      &payment.Stored{Totals: map[string]int64{}},
		Power:       Power{Known: true},
		Uplink:      wire.UplinkState_UPLINK_STATE_ONLINE,
		Certificate: &wire.CertificateStatus{State: wire.CertificateState_CERTIFICATE_STATE_VALID, NotAfterUnixMs: at(60 * 24 * time.Hour)},
		Programme:   Present,
		Leases:      &Leases{Rewards: 3, Until: now.Add(2 * time.Hour)},
	}
}

func stored(count, eur int64, oldest time.Duration) *payment.Stored {
	return &payment.Stored{Count: count, Totals: map[string]int64{"EUR": eur}, Oldest: oldest}
}

func discharging(percent uint32, more func(*wire.Battery)) Power {
	b := &wire.Battery{Status: wire.ChargeStatus_CHARGE_STATUS_DISCHARGING, CapacityPercent: &percent}
	more(b)
	return Power{Known: true, Batteries: []*wire.Battery{b}}
}

// Verdicts on payments, stamps and redemption.
type verdicts [3]wire.Readiness

var all = verdicts{ready, ready, ready}

func each(r wire.Readiness) verdicts { return verdicts{r, r, r} }

func TestOf(t *testing.T) {
	const (
		rtc   = wire.ClockConfidence_CLOCK_CONFIDENCE_RTC
		unset = wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET
		valid = wire.CertificateState_CERTIFICATE_STATE_VALID
	)
	tests := map[string]struct {
		change func(*Facts)
		want   verdicts
		code   string // of the first reason of the capability that is worst, without its prefix
		text   string // part of it
		left   int64  // -1: unset
		until  *int64 // of the payments
	}{
		"all is well": {func(*Facts) {}, all, "QUEUE", "the queue works", -1, at(24 * time.Hour)},

		"queue is faulty":         {func(f *Facts) { f.Queue.Fault, f.Queue.Hint = "no room", "free some" }, each(notReady), "QUEUE", "no room", -1, at(24 * time.Hour)},
		"queue was never opened":  {func(f *Facts) { f.Queue.Opened = false }, each(unknown), "QUEUE", "not known", -1, at(24 * time.Hour)},
		"disk is read-only":       {func(f *Facts) { f.Queue.ReadOnly = new(true) }, each(notReady), "QUEUE", "read-only", -1, at(24 * time.Hour)},
		"disk does not say":       {func(f *Facts) { f.Queue.ReadOnly = nil }, each(degraded), "QUEUE", "not known", -1, at(24 * time.Hour)},
		"room is not known":       {func(f *Facts) { f.Queue.Room = nil }, each(unknown), "QUEUE_ROOM", "not known", -1, at(24 * time.Hour)},
		"no room":                 {func(f *Facts) { f.Queue.Room = new(int64(RecordBytes - 1)) }, each(notReady), "QUEUE_ROOM", "no room", 0, at(24 * time.Hour)},
		"negative room":           {func(f *Facts) { f.Queue.Room = new(int64(-5)) }, each(notReady), "QUEUE_ROOM", "no room", 0, at(24 * time.Hour)},
		"room for few":            {func(f *Facts) { f.Queue.Room = new(int64(123 * RecordBytes)) }, each(degraded), "QUEUE_ROOM", "about 120 more", 123, at(24 * time.Hour)},
		"queue key file is gone":  {func(f *Facts) { f.QueueKey = Gone }, each(degraded), "QUEUE_KEY", "can't be read any more", -1, at(24 * time.Hour)},
		"queue key is not known":  {func(f *Facts) { f.QueueKey = Unknown }, each(degraded), "QUEUE_KEY", "not known", -1, at(24 * time.Hour)},
		"member key is missing":   {func(f *Facts) { f.MemberKey = Missing }, verdicts{ready, notReady, notReady}, "MEMBER_KEY", "missing", -1, at(24 * time.Hour)},
		"member key file is gone": {func(f *Facts) { f.MemberKey = Gone }, verdicts{ready, degraded, degraded}, "MEMBER_KEY", "can't be read any more", -1, at(24 * time.Hour)},
		"member key is not known": {func(f *Facts) { f.MemberKey = Unknown }, verdicts{ready, unknown, unknown}, "MEMBER_KEY", "not known", -1, at(24 * time.Hour)},
		"programme is missing":    {func(f *Facts) { f.Programme = Missing }, verdicts{ready, notReady, notReady}, "PROGRAMME", "not on the terminal", -1, at(24 * time.Hour)},
		"programme is not known":  {func(f *Facts) { f.Programme = Unknown }, verdicts{ready, unknown, unknown}, "PROGRAMME", "not known", -1, at(24 * time.Hour)},

		"limits are not set":        {func(f *Facts) { f.Limits = payment.Limits{} }, verdicts{degraded, ready, ready}, "LIMITS", "no limit", -1, at(60 * 24 * time.Hour)},
		"limits of amounts only":    {func(f *Facts) { f.Limits = payment.Limits{Amounts: map[string]int64{"EUR": 1}} }, verdicts{degraded, ready, ready}, "LIMITS", "no limit", -1, at(60 * 24 * time.Hour)},
		"what is stored is unknown": {func(f *Facts) { f.Stored = nil }, verdicts{unknown, ready, ready}, "LIMITS", "not known", -1, at(60 * 24 * time.Hour)},
		"some are stored":           {func(f *Facts) { f.Stored = stored(10, 1000, time.Hour) }, all, "QUEUE", "the queue works", -1, at(23 * time.Hour)},
		"count is nearly reached":   {func(f *Facts) { f.Stored = stored(400, 1000, time.Hour) }, verdicts{degraded, ready, ready}, "LIMIT_COUNT", "400 of 500", 100, at(23 * time.Hour)},
		"count is reached":          {func(f *Facts) { f.Stored = stored(500, 1000, time.Hour) }, verdicts{notReady, ready, ready}, "LIMIT_COUNT", "500 of 500", 0, at(23 * time.Hour)},
		"count is passed":           {func(f *Facts) { f.Stored = stored(501, 1000, time.Hour) }, verdicts{notReady, ready, ready}, "LIMIT_COUNT", "501 of 500", 0, at(23 * time.Hour)},
		"total is nearly reached":   {func(f *Facts) { f.Stored = stored(2, 499_999, time.Hour) }, verdicts{degraded, ready, ready}, "LIMIT_TOTAL", "99 percent of what may be stored in EUR", 1, at(23 * time.Hour)},
		"total is reached":          {func(f *Facts) { f.Stored = stored(2, 500_000, time.Hour) }, verdicts{notReady, ready, ready}, "LIMIT_TOTAL", "100 percent", 0, at(23 * time.Hour)},
		"another currency's total":  {func(f *Facts) { f.Stored = &payment.Stored{Count: 1, Totals: map[string]int64{"USD": 1 << 62}} }, all, "QUEUE", "the queue works", -1, at(24 * time.Hour)},
		"oldest is nearly too old":  {func(f *Facts) { f.Stored = stored(1, 1, 20*time.Hour) }, verdicts{degraded, ready, ready}, "LIMIT_AGE", "for another 4 h", 4 * 3600, at(4 * time.Hour)},
		"oldest is too old":         {func(f *Facts) { f.Stored = stored(1, 1, 25*time.Hour) }, verdicts{notReady, ready, ready}, "LIMIT_AGE", "may be declined", 0, at(0)},
		"age runs backwards":        {func(f *Facts) { f.Stored = stored(1, 1, -time.Hour) }, all, "QUEUE", "the queue works", -1, at(24 * time.Hour)},

		"clock was not checked":  {func(f *Facts) { f.Clock = rtc }, verdicts{ready, degraded, degraded}, "CLOCK", "not checked since boot", -1, at(24 * time.Hour)},
		"clock was never set":    {func(f *Facts) { f.Clock, f.Now = unset, time.Time{} }, each(degraded), "CERTIFICATE", "not known", -1, at(60 * 24 * time.Hour)},
		"clock does not say":     {func(f *Facts) { f.Clock = 0 }, each(degraded), "CLOCK", "not known whether the clock is right", -1, at(24 * time.Hour)},
		"battery was not looked": {func(f *Facts) { f.Power = Power{} }, each(degraded), "BATTERY", "not known", -1, at(24 * time.Hour)},
		"battery can't be read":  {func(f *Facts) { f.Power.Unreadable = 1 }, each(degraded), "BATTERY", "can't be read", -1, at(24 * time.Hour)},
		"battery is charging": {func(f *Facts) {
			f.Power.Batteries = []*wire.Battery{{Status: wire.ChargeStatus_CHARGE_STATUS_CHARGING, CapacityPercent: new(uint32(3))}}
		}, all, "QUEUE", "the queue works", -1, at(24 * time.Hour)},
		"battery does not say": {func(f *Facts) { f.Power.Batteries = []*wire.Battery{{}} }, each(degraded), "BATTERY", "not known whether", -1, at(24 * time.Hour)},
		"battery in use": {func(f *Facts) {
			f.Power = discharging(80, func(b *wire.Battery) { b.TimeToEmptySeconds = new(uint32(4 * 3600)) })
		}, all, "QUEUE", "the queue works", -1, at(4 * time.Hour)},
		"battery by its rate": {func(f *Facts) {
			f.Power = discharging(50, func(b *wire.Battery) { b.ChargeRateMillipercentPerHour = new(int32(-10_000)) })
		}, all, "QUEUE", "the queue works", -1, at(5 * time.Hour)},
		"battery by its current": {func(f *Facts) {
			f.Power = discharging(50, func(b *wire.Battery) { b.CurrentUa, b.ChargeFullUah = new(int64(-500_000)), new(int64(3_000_000)) })
		}, all, "QUEUE", "the queue works", -1, at(3 * time.Hour)},
		"battery for nobody knows how long": {func(f *Facts) { f.Power = discharging(80, func(*wire.Battery) {}) }, each(degraded), "BATTERY", "with 80 percent left; it is not known for how long", -1, at(24 * time.Hour)},
		"battery is nearly empty": {func(f *Facts) {
			f.Power = discharging(9, func(b *wire.Battery) { b.TimeToEmptySeconds = new(uint32(7200)) })
		}, each(degraded), "BATTERY", "with 9 percent left, for about 2 h", 7200, at(2 * time.Hour)},

		"no backend":               {func(f *Facts) { f.Uplink, f.Certificate = wire.UplinkState_UPLINK_STATE_DISABLED, nil }, each(degraded), "BACKEND", "no backend", -1, at(24 * time.Hour)},
		"certificate is not known": {func(f *Facts) { f.Certificate = nil }, each(degraded), "CERTIFICATE", "not known", -1, at(24 * time.Hour)},
		"no certificate": {func(f *Facts) {
			f.Certificate.State, f.Certificate.NotAfterUnixMs = wire.CertificateState_CERTIFICATE_STATE_NONE, nil
		}, each(degraded), "CERTIFICATE", "no certificate", -1, at(24 * time.Hour)},
		"certificate has expired": {func(f *Facts) {
			f.Certificate.State, f.Certificate.NotAfterUnixMs = wire.CertificateState_CERTIFICATE_STATE_EXPIRED, at(-time.Hour)
		}, each(degraded), "CERTIFICATE", "has expired", -1, at(-time.Hour)},
		"certificate ends soon":        {func(f *Facts) { f.Certificate.NotAfterUnixMs = at(3 * time.Hour) }, each(degraded), "CERTIFICATE", "ends in 3 h", -1, at(3 * time.Hour)},
		"certificate ended just now":   {func(f *Facts) { f.Certificate.NotAfterUnixMs = at(-time.Second) }, each(degraded), "CERTIFICATE", "ends in 0 s", -1, at(-time.Second)},
		"certificate can't be renewed": {func(f *Facts) { f.Certificate.LastError = "refused" }, each(degraded), "CERTIFICATE", "can't be renewed: refused", -1, at(24 * time.Hour)},
		"certificate has no end":       {func(f *Facts) { f.Certificate = &wire.CertificateStatus{State: valid} }, each(degraded), "CERTIFICATE", "not known how long", -1, at(24 * time.Hour)},

		"leases are not known":     {func(f *Facts) { f.Leases = nil }, verdicts{ready, ready, unknown}, "LEASES", "not known", -1, at(24 * time.Hour)},
		"no leases":                {func(f *Facts) { f.Leases = &Leases{} }, verdicts{ready, ready, notReady}, "LEASES", "no reward may be given", 0, at(24 * time.Hour)},
		"leases after a restart":   {func(f *Facts) { f.Leases = &Leases{Unusable: 3} }, verdicts{ready, ready, notReady}, "LEASES", "nobody knows what time", 0, at(24 * time.Hour)},
		"no leases, and a floor":   {func(f *Facts) { f.Leases = &Leases{Floor: 2} }, all, "QUEUE", "the queue works", -1, at(24 * time.Hour)},
		"nothing is known":         {func(f *Facts) { *f = Facts{} }, verdicts{unknown, unknown, unknown}, "QUEUE", "not known", -1, nil},
		"bad and unknown together": {func(f *Facts) { f.Stored, f.Queue.Fault, f.Queue.Hint = nil, "broken", "mend it" }, each(notReady), "QUEUE", "broken", -1, at(60 * 24 * time.Hour)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := fine()
			tt.change(&f)
			got := Of(f)
			worst := got[0]
			for i, c := range got {
				check(t, c)
				if c.GetReadiness() != tt.want[i] {
					t.Errorf("%v is %v, want %v: %v", c.GetCapability(), c.GetReadiness(), tt.want[i], c.GetReasons()[0])
				}
				if rank(c.GetReadiness()) < rank(worst.GetReadiness()) {
					worst = c
				}
			}
			if Worst(got) != worst.GetReadiness() {
				t.Errorf("the worst of all is %v", Worst(got))
			}
			first := worst.GetReasons()[0]
			if first.GetCode().String() != "READINESS_CODE_"+tt.code || !strings.Contains(first.GetText(), tt.text) {
				t.Errorf("the first reason is %v, want %s with %q", first, tt.code, tt.text)
			}
			if first.Left == nil != (tt.left < 0) || first.Left != nil && first.GetLeft() != tt.left {
				t.Errorf("left is %v, want %d", first.Left, tt.left)
			}
			if u := got[0].UntilUnixMs; u == nil != (tt.until == nil) || u != nil && *u != *tt.until {
				t.Errorf("payments until %v, want %v", when(u), when(tt.until))
			}
		})
	}
}

func when(ms *int64) any {
	if ms == nil {
		return "unknown"
	}
	return time.UnixMilli(*ms).UTC()
}

// check holds a verdict to what the schema promises of every one.
func check(t *testing.T, c *wire.CapabilityReadiness) {
	t.Helper()
	if len(c.GetReasons()) == 0 || c.GetReadiness() != c.GetReasons()[0].GetReadiness() {
		t.Fatalf("%v is %v for %v", c.GetCapability(), c.GetReadiness(), c.GetReasons())
	}
	if !slices.IsSortedFunc(c.GetReasons(), func(a, b *wire.ReadinessReason) int { return rank(a.GetReadiness()) - rank(b.GetReadiness()) }) {
		t.Errorf("%v: the reasons are not in order", c.GetCapability())
	}
	for _, r := range c.GetReasons() {
		if r.GetCode() == 0 || r.GetText() == "" || (r.GetHint() == "") != (r.GetReadiness() == ready) || r.GetLeft() < 0 {
			t.Errorf("%v: incomplete reason %v", c.GetCapability(), r)
		}
		if strings.Contains(r.GetText(), "not known") && r.GetReadiness() == ready {
			t.Errorf("%v: what is not known counts as ready: %v", c.GetCapability(), r)
		}
		if r.UntilUnixMs != nil && c.GetUntilUnixMs() > r.GetUntilUnixMs() {
			t.Errorf("%v stays so until %d, and %v", c.GetCapability(), c.GetUntilUnixMs(), r)
		}
	}
}

// Redemption lasts as long as its leases, unless the programme has a floor.
func TestLeasesEnd(t *testing.T) {
	f := fine()
	if got := Of(f)[2].UntilUnixMs; got == nil || *got != *at(2 * time.Hour) {
		t.Errorf("until %v, want the end of the leases", when(got))
	}
	f.Leases.Floor = 1
	if got := Of(f)[2].UntilUnixMs; got == nil || *got != *at(60 * 24 * time.Hour) {
		t.Errorf("until %v with a floor, want the end of the certificate", when(got))
	}
}

// The battery that is empty first decides.
func TestTwoBatteries(t *testing.T) {
	f := fine()
	f.Power = discharging(90, func(b *wire.Battery) { b.TimeToEmptySeconds = new(uint32(8 * 3600)) })
	f.Power.Batteries = append(f.Power.Batteries, discharging(40, func(b *wire.Battery) { b.TimeToEmptySeconds = new(uint32(3 * 3600)) }).Batteries...)
	if got := Of(f)[1].UntilUnixMs; got == nil || *got != *at(3 * time.Hour) {
		t.Errorf("until %v, want 3 h", when(got))
	}
}

// Every fact that is taken from a terminal that is ready makes no capability better.
func TestLessIsNeverBetter(t *testing.T) {
	takes := map[string]func(*Facts){
		"now": func(f *Facts) { f.Now = time.Time{} }, "clock": func(f *Facts) { f.Clock = 0 }, "opened": func(f *Facts) { f.Queue.Opened = false },
		"room": func(f *Facts) { f.Queue.Room = nil }, "read-only": func(f *Facts) { f.Queue.ReadOnly = nil }, "queue key": func(f *Facts) { f.QueueKey = 0 },
		"member key": func(f *Facts) { f.MemberKey = 0 }, "stored": func(f *Facts) { f.Stored = nil },
		"power": func(f *Facts) { f.Power = Power{} }, "certificate": func(f *Facts) { f.Certificate = nil }, "programme": func(f *Facts) { f.Programme = 0 },
		"leases": func(f *Facts) { f.Leases = nil },
	}
	for name, take := range takes {
		f := fine()
		take(&f)
		if Worst(Of(f)) == ready {
			t.Errorf("without %s all is ready", name)
		}
		for other, also := range takes {
			g := fine()
			take(&g)
			also(&g)
			for i, c := range Of(g) {
				if rank(c.GetReadiness()) > rank(Of(f)[i].GetReadiness()) {
					t.Errorf("without %s and %s %v is %v, without %s alone %v", name, other, c.GetCapability(), c.GetReadiness(), name, Of(f)[i].GetReadiness())
				}
			}
		}
	}
}
