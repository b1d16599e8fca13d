package collect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// soon is how long a change may take to be with the queue.
const soon = 11 * time.Second

func TestCollectorPowerChange(t *testing.T) {
	blind := func() *wire.Battery { return &wire.Battery{Name: "BAT0", CapacityPercent: new(uint32(71))} }
	draining := reading(discharging, false)
	draining.CapacityPercent = new(uint32(5))
	for _, test := range []struct {
		name     string
		from, to *wire.Battery
		told     bool
	}{
		{"plugged in", reading(discharging, false), reading(charging, true), true},
		{"unplugged", reading(charging, true), reading(discharging, false), true},
		{"only the charger", reading(discharging, false), reading(discharging, true), true},
		{"only the state", reading(charging, true), reading(wire.ChargeStatus_CHARGE_STATUS_FULL, true), true},
		{"nothing", reading(charging, true), reading(charging, true), false},
		{"only the charge left", reading(discharging, false), draining, false},
		{"becomes unknown", reading(charging, true), blind(), false},
		{"becomes known", blind(), reading(charging, true), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				battery := haltest.NewBattery(test.from)
				opts := quiet()
				opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{battery}})
				b := run(t, opts)
				defer b.stop()
				pass(10 * time.Second)
				b.Flush()
				before := len(b.lane.all())
				battery.Set(test.to)
				pass(soon)
				blocks := b.lane.all()
				if told := len(blocks) == before+1; told != test.told {
					t.Fatalf("%d more blocks at once, want told %v", len(blocks)-before, test.told)
				}
				if !test.told {
					return
				}
				last := blocks[before].events[len(blocks[before].events)-1].GetBattery()
				if last.GetStatus() != test.to.Status || last.GetExternalPower() != test.to.GetExternalPower() {
					t.Errorf("told of %v, want %v", last, test.to)
				}
				pass(time.Minute)
				if n := len(b.lane.all()); n != before+1 {
					t.Errorf("told again in %d more blocks", n-before-1)
				}
			})
		})
	}
}

// What was told last counts, not what was read last: a battery that does not know for a while has not changed.
func TestCollectorPowerChangeAcrossUnknown(t *testing.T) {
	for _, test := range []struct {
		name     string
		readings []*wire.Battery
		want     int // changes that are told
	}{
		{"unknown in between", []*wire.Battery{reading(charging, true), {}, reading(discharging, false)}, 1},
		{"unknown in between, and the same", []*wire.Battery{reading(charging, true), {}, reading(charging, true)}, 0},
		{"unknown at first", []*wire.Battery{{}, reading(charging, true), reading(discharging, false)}, 1},
		{"only the state known", []*wire.Battery{{Status: charging}, {}, {Status: discharging}}, 1},
		{"only the charger known", []*wire.Battery{{ExternalPower: new(true)}, {}, {ExternalPower: new(false)}}, 1},
		{"there and back", []*wire.Battery{reading(charging, true), reading(discharging, false), reading(charging, true)}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, r := range test.readings {
					r.Name, r.CapacityPercent = "BAT0", new(uint32(50))
				}
				battery, opts := haltest.NewBattery(test.readings[0]), quiet()
				opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{battery}})
				b := run(t, opts)
				defer b.stop()
				pass(soon)
				b.Flush()
				before := len(b.lane.all())
				for _, r := range test.readings[1:] {
					battery.Set(r)
					pass(soon)
				}
				if n := len(b.lane.all()) - before; n != test.want {
					t.Errorf("told %d times at once, want %d", n, test.want)
				}
			})
		})
	}
}

// A change that came while the battery could not be read is told when it can be again.
func TestCollectorPowerChangeWhileHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		defer b.stop()
		pass(10 * time.Second)
		b.battery.Fail(hal.ErrHung)
		pass(time.Minute)
		b.Flush()
		b.battery.Set(reading(charging, true))
		pass(soon)
		blocks := b.lane.all()
		if n := count(blocks[len(blocks)-1].events, isBattery); n != 1 {
			t.Errorf("the last block is %q, want the change", kinds(blocks[len(blocks)-1].events))
		}
	})
}

// A loose plug is told of at once a few times, and after that once a block: it must not cost a cellular bill. The state in
// which it ends is told in any case.
func TestCollectorLoosePlug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		defer b.stop()
		pass(10 * time.Second)
		before := len(b.lane.all())
		for i := range 2000 {
			b.battery.Set(reading([]wire.ChargeStatus{discharging, charging}[i%2], i%2 == 1))
			pass(10 * time.Second)
		}
		elapsed := 2000 * 10 * time.Second
		if n, most := len(b.lane.all())-before, 12+int(elapsed/time.Minute); n > most || n < 6 {
			t.Errorf("%d blocks in %v of a loose plug, want at most %d", n, elapsed, most)
		}
		b.battery.Set(reading(wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING, true))
		pass(2 * time.Minute)
		events := b.lane.events()
		if last := events[len(events)-1].GetBattery(); last.GetStatus() != wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING {
			t.Errorf("the last state that was told is %v", last.GetStatus())
		}
	})
}

// A battery that hangs for ever delays nothing else, and is never read twice at a time.
func TestCollectorHungBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, collect.Options{BatteryEvery: 10 * time.Second, HostEvery: 10 * time.Second, AppEvery: 10 * time.Second})
		defer b.stop()
		pass(time.Second)
		b.battery.Fail(hal.ErrHung)
		reads := b.battery.Reads()
		pass(10 * time.Minute)
		events := b.lane.events()
		if hosts, apps := count(events, isHost), count(events, isApp); hosts < 50 || apps < 50 {
			t.Errorf("%d readings of the host and %d of the agent in ten minutes", hosts, apps)
		}
		if n := b.battery.Reads() - reads; n < 50 || n > 65 {
			t.Errorf("%d attempts to read the battery in ten minutes, want one each ten seconds", n)
		}
	})
}

const (
	missing  = wire.LifecycleKind_LIFECYCLE_KIND_PART_MISSING
	restored = wire.LifecycleKind_LIFECYCLE_KIND_PART_RESTORED
)

// A part that goes missing, and comes back, is told once each and at once; a part that fails once is not missing.
func TestCollectorPartMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		defer b.stop()
		pass(10 * time.Second)
		b.Flush()
		expect := func(when string, blocks, missed, came int) {
			t.Helper()
			events := b.lane.events()
			m, r := count(events, isLifecycle(missing, "battery/BAT0")), count(events, isLifecycle(restored, "battery/BAT0"))
			if m != missed || r != came || len(b.lane.all()) != blocks {
				t.Errorf("%s: missing %d times and restored %d times in %d blocks, want %d, %d and %d",
					when, m, r, len(b.lane.all()), missed, came, blocks)
			}
		}
		expect("at first", 2, 0, 0)

		b.battery.Fail(hal.ErrHung)
		pass(soon)
		b.battery.Set(reading(discharging, false))
		pass(time.Minute)
		expect("after it failed once", 2, 0, 0)

		b.battery.Fail(hal.ErrGone)
		pass(3 * soon)
		expect("after it went", 3, 1, 0)
		if l := b.lane.all()[2].events[0].GetLifecycle(); l.GetDetail() != "not there" {
			t.Errorf("detail is %q", l.GetDetail())
		}
		pass(time.Hour)
		expect("an hour later", 3, 1, 0)

		b.battery.Set(reading(discharging, false))
		pass(soon)
		expect("after it came back", 4, 1, 1)
	})
}

// A terminal without a battery says so once; the battery that is put in later is told of as well.
func TestCollectorNoBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		b := run(t, collect.Options{Board: hal.Open(hal.Profile{SysRoot: root})})
		defer b.stop()
		pass(time.Hour)
		if n := count(b.lane.events(), isLifecycle(missing, "battery")); n != 1 {
			t.Errorf("told %d times that there is no battery", n)
		}
		tree, err := haltest.ReadTree("../../testdata/sys/healthy.txtar")
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Write(root); err != nil {
			t.Fatal(err)
		}
		pass(soon)
		if n := count(b.lane.events(), isLifecycle(restored, "battery")); n != 1 {
			t.Errorf("told %d times that there is a battery now", n)
		}
		pass(10 * time.Minute)
		if n := count(b.lane.events(), isBattery); n < 1 {
			t.Error("no reading of the battery")
		}
	})
}
