package collect

import (
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

func hot(decicelsius int32) []*wire.Battery {
	return []*wire.Battery{{TemperatureDecicelsius: &decicelsius}}
}

func registered(state uint32, sim wire.SimState) []*wire.Modem {
	return []*wire.Modem{{Registration: &state, Sim: sim}}
}

func disk(free, total uint64) *wire.Host {
	return &wire.Host{DiskFreeBytes: &free, DiskTotalBytes: &total}
}

// What is wrong begins at one value and ends at another, and what is not known leaves it as it was.
func TestTrouble(t *testing.T) {
	const (
		ready, absent, busy = wire.SimState_SIM_STATE_READY, wire.SimState_SIM_STATE_ABSENT, wire.SimState_SIM_STATE_BUSY
		all                 = trouble(1<<9 - 1)
	)
	off, ok := false, uint32(1)
	for _, test := range []struct {
		name   string
		judge  func(before trouble) trouble
		begins trouble // where nothing was wrong
		ends   trouble // where everything was wrong
	}{
		{"battery cool", func(b trouble) trouble { return judgeBatteries(b, hot(batteryCooled-1)) }, 0, troubleBatteryHot},
		{"battery warm", func(b trouble) trouble { return judgeBatteries(b, hot(batteryCooled)) }, 0, 0},
		{"battery not yet hot", func(b trouble) trouble { return judgeBatteries(b, hot(batteryHot-1)) }, 0, 0},
		{"battery hot", func(b trouble) trouble { return judgeBatteries(b, hot(batteryHot)) }, troubleBatteryHot, 0},
		{"one of two batteries hot", func(b trouble) trouble { return judgeBatteries(b, append(hot(200), hot(batteryHot)...)) }, troubleBatteryHot, 0},
		{"no battery", func(b trouble) trouble { return judgeBatteries(b, nil) }, 0, 0},
		{"battery without a word", func(b trouble) trouble { return judgeBatteries(b, []*wire.Battery{{}}) }, 0, 0},
		{"battery good", func(b trouble) trouble { return judgeBatteries(b, []*wire.Battery{{Health: "Good"}}) }, 0, troubleBatteryFault},
		{"battery dead", func(b trouble) trouble { return judgeBatteries(b, []*wire.Battery{{Health: "Dead"}}) }, troubleBatteryFault, 0},
		{"one of two dead", func(b trouble) trouble { return judgeBatteries(b, []*wire.Battery{{Health: "Dead"}, {Health: "Good"}}) }, troubleBatteryFault, 0},
		{"a word of a vendor", func(b trouble) trouble { return judgeBatteries(b, []*wire.Battery{{Health: "Tip top"}}) }, 0, troubleBatteryFault},

		{"at home", func(b trouble) trouble { return judgeModems(b, registered(1, ready)) }, 0, ofModem},
		{"roaming", func(b trouble) trouble { return judgeModems(b, registered(5, ready)) }, 0, ofModem},
		{"searching", func(b trouble) trouble { return judgeModems(b, registered(2, ready)) }, troubleRegistration, troubleSIM},
		{"denied", func(b trouble) trouble { return judgeModems(b, registered(3, ready)) }, troubleRegistration, troubleSIM},
		{"emergency alone", func(b trouble) trouble { return judgeModems(b, registered(8, ready)) }, troubleRegistration, troubleSIM},
		{"no SIM", func(b trouble) trouble { return judgeModems(b, registered(0, absent)) }, ofModem, 0},
		{"the SIM starts", func(b trouble) trouble { return judgeModems(b, registered(1, busy)) }, 0, troubleRegistration},
		{"one of two modems lost", func(b trouble) trouble { return judgeModems(b, append(registered(1, ready), registered(2, ready)...)) }, troubleRegistration, troubleSIM},
		{"modem unknown", func(b trouble) trouble { return judgeModems(b, []*wire.Modem{{}}) }, 0, 0},
		{"no modem", func(b trouble) trouble { return judgeModems(b, nil) }, 0, 0},
		{"switched off", func(b trouble) trouble {
			return judgeModems(b, []*wire.Modem{{Registration: new(uint32), RadioOn: &off, Sim: ready}})
		}, 0, troubleSIM},
		{"one of two switched off", func(b trouble) trouble {
			return judgeModems(b, []*wire.Modem{{Registration: new(uint32), RadioOn: &off}, {Registration: &ok}})
		}, 0, troubleRegistration},

		{"host hot", func(b trouble) trouble { return judgeHost(b, &wire.Host{TemperatureDecicelsius: new(int32(hostHot))}) }, troubleHostHot, 0},
		{"host warm", func(b trouble) trouble {
			return judgeHost(b, &wire.Host{TemperatureDecicelsius: new(int32(hostCooled))})
		}, 0, 0},
		{"host cool", func(b trouble) trouble {
			return judgeHost(b, &wire.Host{TemperatureDecicelsius: new(int32(hostCooled - 1))})
		}, 0, troubleHostHot},
		{"host unknown", func(b trouble) trouble { return judgeHost(b, new(wire.Host)) }, 0, 0},
		{"disk full", func(b trouble) trouble { return judgeHost(b, disk(0, 1<<40)) }, troubleDisk, 0},
		{"disk at the edge", func(b trouble) trouble { return judgeHost(b, disk(50, 1000)) }, 0, 0},
		{"disk over the edge", func(b trouble) trouble { return judgeHost(b, disk(49, 1000)) }, troubleDisk, 0},
		{"disk freed a little", func(b trouble) trouble { return judgeHost(b, disk(83, 1000)) }, 0, 0},
		{"disk freed", func(b trouble) trouble { return judgeHost(b, disk(84, 1000)) }, 0, troubleDisk},

		{"nothing missing", func(b trouble) trouble { return judgeParts(b, nil) }, 0, ofParts},
		{"modem missing", func(b trouble) trouble { return judgeParts(b, []string{"modem/ttyUSB2"}) }, troubleModemGone, troubleBatteryGone},
		{"battery missing", func(b trouble) trouble { return judgeParts(b, []string{"battery"}) }, troubleBatteryGone, troubleModemGone},
		{"another part missing", func(b trouble) trouble { return judgeParts(b, []string{"dock"}) }, 0, ofParts},

		{"online", func(b trouble) trouble { return judgeLink(b, 0) }, 0, troubleOffline},
		{"offline", func(b trouble) trouble { return judgeLink(b, offlineAfter-1) }, 0, 0},
		{"offline for long", func(b trouble) trouble { return judgeLink(b, offlineAfter) }, troubleOffline, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.judge(0); got != test.begins {
				t.Errorf("where nothing was wrong there is now: %v; want: %v", got, test.begins)
			}
			if got := test.judge(all); got != all&^test.ends {
				t.Errorf("where everything was wrong there is now: %v; want: %v", got, all&^test.ends)
			}
		})
	}
}

// Every trouble has a name, and concerns some source.
func TestTroubleNames(t *testing.T) {
	names := make(map[string]bool)
	for one := trouble(1); one <= troubleDisk; one <<= 1 {
		names[one.String()] = true
		if one&(concernsLink|concernsPower|concernsHost) == 0 {
			t.Errorf("%v concerns nothing", one)
		}
	}
	if len(names) != 9 || names[""] {
		t.Errorf("9 troubles are called %v", names)
	}
}

// A part that was never there is not missing to anybody.
func TestPartWatchMissing(t *testing.T) {
	w := newPartWatch()
	never, was := part("modem", false), part("battery/BAT0", true)
	w.news(found(never, was))
	was = part("battery/BAT0", false)
	for range missingAfter - 1 {
		w.news(found(never, was))
		if missing := w.missing(); missing != nil {
			t.Fatalf("missing: %v, before it is told of", missing)
		}
	}
	w.news(found(never, was))
	if missing := w.missing(); len(missing) != 1 || missing[0] != "battery/BAT0" {
		t.Errorf("missing: %v, want the battery", missing)
	}
	w.news(found(never, part("battery/BAT0", true)))
	if missing := w.missing(); missing != nil {
		t.Errorf("missing: %v, though it is back", missing)
	}
}
