package collect

import (
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

func part(name string, ok bool) hal.Part { return hal.Part{Name: name, OK: ok} }

func found(parts ...hal.Part) []hal.Part { return parts }

// A pause is a multiple or a divisor of the setting, within bounds: rounds stay common, and nothing is read all the time.
func TestPaceOf(t *testing.T) {
	const never = 100 * 365 * 24 * time.Hour
	for _, test := range []struct {
		name                string
		setting, slow, fast time.Duration
	}{
		{"as shipped", time.Minute, 4 * time.Minute, 15 * time.Second},
		{"often", 10 * time.Second, 40 * time.Second, 5 * time.Second},
		{"fastest", 5 * time.Second, 20 * time.Second, 5 * time.Second},
		{"faster than any", time.Second, 4 * time.Second, time.Second},
		{"seldom", 15 * time.Minute, time.Hour, 225 * time.Second},
		{"more seldom", 30 * time.Minute, time.Hour, 450 * time.Second},
		{"slower than any", 24 * time.Hour, 24 * time.Hour, 6 * time.Hour},
		{"never", never, never, never / 4},
		{"not to be divided", 10*time.Second + 1, 40*time.Second + 4, 10*time.Second + 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := paceUsual.of(test.setting); got != test.setting {
				t.Errorf("usually every %v, want %v", got, test.setting)
			}
			if got := paceSlow.of(test.setting); got != test.slow {
				t.Errorf("slowly every %v, want %v", got, test.slow)
			}
			if got := paceFast.of(test.setting); got != test.fast {
				t.Errorf("fast every %v, want %v", got, test.fast)
			}
		})
	}
}

func discharging(percent uint32) []*wire.Battery {
	return []*wire.Battery{{Status: wire.ChargeStatus_CHARGE_STATUS_DISCHARGING, CapacityPercent: &percent}}
}

// A battery that flickers around the edge changes the pace once; one that does not say changes nothing.
func TestPaceSlow(t *testing.T) {
	w := newPaceWatch(20, 0)
	charging := discharging(5)
	charging[0].Status = wire.ChargeStatus_CHARGE_STATUS_CHARGING
	for i, step := range []struct {
		readings []*wire.Battery
		want     pace
	}{
		{nil, paceUsual}, {discharging(21), paceUsual}, {discharging(20), paceSlow}, {discharging(21), paceSlow},
		{discharging(22), paceSlow}, {nil, paceSlow}, {[]*wire.Battery{{}}, paceSlow}, {discharging(23), paceUsual},
		{discharging(21), paceUsual}, {discharging(19), paceSlow}, {charging, paceUsual},
	} {
		w.charged(step.readings)
		if got := w.pace(time.Now(), concernsHost); got != step.want {
			t.Errorf("step %d: pace %d, want %d", i, got, step.want)
		}
	}
	never := newPaceWatch(0, 0)
	never.charged(discharging(0))
	if got := never.pace(time.Now(), concernsHost); got != paceUsual {
		t.Errorf("pace %d where it is never to be slow", got)
	}
}

// Fast reading lasts as long as it may and what is wrong lasts, concerns what is wrong, and gives way to a low battery.
func TestPaceFast(t *testing.T) {
	const fastFor = 15 * time.Minute
	begin := time.Unix(1_000_000, 0)
	w := newPaceWatch(20, fastFor)
	want := func(after time.Duration, link, power pace) {
		t.Helper()
		now := begin.Add(after)
		if got := w.pace(now, concernsLink); got != link {
			t.Errorf("after %v the link has pace %d, want %d", after, got, link)
		}
		if got := w.pace(now, concernsPower); got != power {
			t.Errorf("after %v the power has pace %d, want %d", after, got, power)
		}
	}
	judge := func(after time.Duration, found, begun trouble) {
		t.Helper()
		w.found = found
		if got := w.judge(begin.Add(after)); got != begun {
			t.Errorf("after %v there began: %v; want: %v", after, got, begun)
		}
	}
	want(0, paceUsual, paceUsual)
	judge(0, troubleRegistration, troubleRegistration)
	want(0, paceFast, paceUsual)
	judge(fastFor/2, troubleRegistration, 0)
	want(fastFor-1, paceFast, paceUsual)
	want(fastFor, paceUsual, paceUsual)
	judge(time.Hour, troubleRegistration|troubleOffline, troubleOffline) // something else of the same
	want(time.Hour, paceFast, paceUsual)
	judge(time.Hour, troubleRegistration|troubleOffline|troubleBatteryHot, troubleBatteryHot)
	want(time.Hour, paceFast, paceFast)
	w.charged(discharging(3))
	want(time.Hour, paceSlow, paceSlow)
	w.charged(discharging(50))
	want(time.Hour, paceFast, paceFast)
	judge(time.Hour+time.Minute, troubleBatteryHot, 0)
	want(time.Hour+time.Minute, paceUsual, paceFast) // what is over needs no haste
	judge(time.Hour+2*time.Minute, 0, 0)
	want(time.Hour+2*time.Minute, paceUsual, paceUsual)

	never := newPaceWatch(20, 0)
	never.found = troubleOffline
	if begun := never.judge(begin); begun != troubleOffline || never.pace(begin, concernsLink) != paceUsual {
		t.Errorf("begun: %v; pace %d where it is never to be fast", begun, never.pace(begin, concernsLink))
	}
}

// What comes and goes all the time is read fast for a bounded part of the day, for as long as it goes on.
func TestPaceFlapping(t *testing.T) {
	const fastFor = 15 * time.Minute
	begin := time.Unix(1_000_000, 0)
	w := newPaceWatch(20, fastFor)
	var days [30]time.Duration
	for at := time.Duration(0); at < 30*24*time.Hour; at += 5 * time.Second {
		w.found = 0
		if at%time.Minute > 10*time.Second {
			w.found = troubleRegistration
		}
		w.judge(begin.Add(at))
		if w.pace(begin.Add(at), concernsLink) == paceFast {
			days[at/(24*time.Hour)] += 5 * time.Second
		}
	}
	for day, fast := range days {
		most := 6 * fastFor
		if day == 0 {
			most = 12 * fastFor
		}
		if fast > most || fast < time.Hour {
			t.Errorf("on day %d it is read fast for %v, want an hour or more, and up to %v", day, fast, most)
		}
	}
}
