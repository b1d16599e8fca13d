package hal_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	charging    = wire.ChargeStatus_CHARGE_STATUS_CHARGING
	discharging = wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	notCharging = wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING
	full        = wire.ChargeStatus_CHARGE_STATUS_FULL
)

const class = "class/power_supply"

// readTree returns one of the trees that all tests share.
func readTree(t *testing.T, name string) *haltest.Tree {
	t.Helper()
	tree, err := haltest.ReadTree(filepath.Join("../testdata/sys", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// batteries returns the batteries in a tree.
func batteries(t *testing.T, p *hal.PowerSupply) []hal.Battery {
	t.Helper()
	found, err := p.Batteries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// healthy is the battery in the tree of that name.
func healthy() *wire.Battery {
	return &wire.Battery{
		Name: "bq27441-0", Status: discharging, CapacityPercent: new(uint32(85)), VoltageUv: new(int64(3987000)),
		CurrentUa: new(int64(-184000)), TemperatureDecicelsius: new(int32(298)), ChargeFullUah: new(int64(2485000)),
		ChargeFullDesignUah: new(int64(2600000)), Cycles: new(uint32(212)), Health: "Good", HealthPercent: new(uint32(95)), ExternalPower: new(false),
	}
}

func TestPowerSupplyTrees(t *testing.T) {
	for _, test := range []struct {
		tree string
		want []*wire.Battery // nil for one that is listed and gone
	}{
		{"healthy", []*wire.Battery{healthy()}},
		{"energy", []*wire.Battery{{
			Name: "BAT0", Status: charging, CapacityPercent: new(uint32(63)), VoltageUv: new(int64(12214000)),
			EnergyFullUwh: new(int64(45460000)), EnergyFullDesignUwh: new(int64(50500000)), HealthPercent: new(uint32(90)), Model: "LNV-45N1",
			ExternalPower: new(true),
		}}},
		{"two-batteries", []*wire.Battery{{
			Name: "battery", Status: full, CapacityPercent: new(uint32(100)), VoltageUv: new(int64(4351000)),
			CurrentUa: new(int64(0)), TemperatureDecicelsius: new(int32(-35)), ChargeFullUah: new(int64(5020000)),
			ChargeFullDesignUah: new(int64(5000000)), Health: "Cool", HealthPercent: new(uint32(100)), ExternalPower: new(true),
		}, {
			Name: "grip1", Status: charging, CapacityPercent: new(uint32(40)), VoltageUv: new(int64(3811000)),
			CurrentUa: new(int64(912000)), ChargeFullUah: new(int64(2960000)), ChargeFullDesignUah: new(int64(3000000)),
			Cycles: new(uint32(41)), Health: "Good", HealthPercent: new(uint32(98)), ExternalPower: new(true),
		}, nil}},
		{"inverted", []*wire.Battery{{
			Name: "battery", Status: discharging, CapacityPercent: new(uint32(52)), VoltageUv: new(int64(3764000)),
			TemperatureDecicelsius: new(int32(312)), ChargeFullUah: new(int64(4180000)),
			ChargeFullDesignUah: new(int64(4400000)), Health: "Good", HealthPercent: new(uint32(95)), ExternalPower: new(false),
		}}},
		{"garbage", []*wire.Battery{{Name: "battery", VoltageUv: new(int64(3700000))}}},
		{"mains-only", nil},
		{"faults", []*wire.Battery{{
			Name: "max170xx_battery", Status: notCharging, CapacityPercent: new(uint32(7)), VoltageUv: new(int64(3391000)),
		}}},
		{"bare", []*wire.Battery{{
			Name: "max17040_battery", CapacityPercent: new(uint32(99)), VoltageUv: new(int64(4188750)),
		}}},
	} {
		t.Run(test.tree, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tree := readTree(t, test.tree)
				defer tree.Remove(class) // lets go of what hangs
				found := batteries(t, hal.NewPowerSupply(tree))
				if len(found) != len(test.want) {
					t.Fatalf("%d batteries, want %d", len(found), len(test.want))
				}
				for i, battery := range found {
					reading, err := battery.Read(t.Context())
					if (err == nil) != (test.want[i] != nil) {
						t.Errorf("%s: error is %v", battery.Name(), err)
					}
					if diff := cmp.Diff(test.want[i], reading, protocmp.Transform()); diff != "" {
						t.Errorf("%s differs (-want +got):\n%s", battery.Name(), diff)
					}
				}
			})
		})
	}
}

func TestPowerSupplyConformance(t *testing.T) {
	haltest.TestBattery(t, func(t *testing.T) haltest.BatteryBench {
		tree := readTree(t, "healthy")
		battery := batteries(t, hal.NewPowerSupply(tree))[0]
		const dir = class + "/bq27441-0/"
		known := map[string]string{
			"type": "Battery", "present": "1", "status": "Discharging", "capacity": "85", "voltage_now": "3987000",
			"current_now": "-184000", "temp": "298", "charge_full": "2485000", "charge_full_design": "2600000",
			"charge_now": "2112000", "cycle_count": "212", "health": "Good",
		}
		set := func(content func(attribute string) string) {
			for attribute := range known {
				if attribute == "type" { // comes from the kernel, not from the gauge
					continue
				}
				if err := tree.Set(dir+attribute, content(attribute)); err != nil {
					t.Error(err)
				}
			}
		}
		return haltest.BatteryBench{
			Battery: battery,
			Want:    healthy(),
			Hang:    func() { set(func(string) string { return "!hang" }) },
			Garble:  func() { set(func(string) string { return `"\xff?"` }) },
			Remove:  func() { tree.Remove(class + "/bq27441-0") },
			Restore: func() {
				set(func(attribute string) string { return known[attribute] + "\n" })
				if err := tree.Set(dir+"type", "Battery\n"); err != nil {
					t.Error(err)
				}
			},
		}
	})
}

// A kernel without the class has no batteries; that is no error.
func TestPowerSupplyWithoutClass(t *testing.T) {
	tree, err := haltest.ParseTree([]byte("-- devices/system/cpu/online --\n0-3\n"))
	if err != nil {
		t.Fatal(err)
	}
	if found := batteries(t, hal.NewPowerSupply(tree)); len(found) != 0 {
		t.Errorf("found %d batteries", len(found))
	}
}

// Charge that is left is worked out where the driver does not tell, but never from charge over energy.
func TestPowerSupplyCapacity(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  *uint32
	}{
		{"told", map[string]string{"capacity": "50", "charge_now": "1", "charge_full": "100"}, new(uint32(50))},
		{"from charge", map[string]string{"charge_now": "1500000", "charge_full": "2000000"}, new(uint32(75))},
		{"from energy", map[string]string{"energy_now": "1500000", "energy_full": "2000000"}, new(uint32(75))},
		{"told nonsense", map[string]string{"capacity": "255", "charge_now": "0", "charge_full": "7"}, new(uint32(0))},
		{"charge over energy", map[string]string{"charge_now": "1500000", "energy_full": "2000000"}, nil},
		{"energy over charge", map[string]string{"energy_now": "1500000", "charge_full": "2000000"}, nil},
		{"over an unlearned gauge", map[string]string{"charge_now": "1500000", "charge_full": "0"}, nil},
		{"more than full", map[string]string{"charge_now": "2000001", "charge_full": "2000000"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree, err := haltest.ParseTree(nil)
			if err != nil {
				t.Fatal(err)
			}
			test.files["type"], test.files["voltage_now"] = "Battery", "3700000"
			for attribute, content := range test.files {
				if err := tree.Set(class+"/battery/"+attribute, content); err != nil {
					t.Fatal(err)
				}
			}
			reading, err := batteries(t, hal.NewPowerSupply(tree))[0].Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, reading.CapacityPercent); diff != "" {
				t.Errorf("capacity differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPowerSupplyExternalPower(t *testing.T) {
	for _, test := range []struct {
		name     string
		supplies map[string]string // type and online
		want     *bool
	}{
		{"none", nil, nil},
		{"offline", map[string]string{"ac": "Mains 0"}, new(false)},
		{"online", map[string]string{"ac": "Mains 1"}, new(true)},
		{"programmable", map[string]string{"usb": "USB_PD 2"}, new(true)},
		{"one of two", map[string]string{"ac": "Mains 0", "usb": "USB_C 1"}, new(true)},
		{"none of two", map[string]string{"ac": "Mains 0", "usb": "USB 0"}, new(false)},
		{"one does not say", map[string]string{"ac": "Mains !EAGAIN", "usb": "USB 0"}, nil},
		{"one does not say, one is online", map[string]string{"ac": "Mains !EAGAIN", "usb": "USB 1"}, new(true)},
		{"nonsense", map[string]string{"ac": "Mains 3"}, nil},
		{"a battery that is online", map[string]string{"b": "Battery 1"}, nil},
		{"a UPS", map[string]string{"ups": "UPS 1"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := readTree(t, "bare")
			for name, supply := range test.supplies {
				kind, online, _ := strings.Cut(supply, " ")
				for attribute, content := range map[string]string{"type": kind, "online": online} {
					if err := tree.Set(class+"/"+name+"/"+attribute, content); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, battery := range batteries(t, hal.NewPowerSupply(tree)) {
				if battery.Name() != "max17040_battery" {
					continue
				}
				reading, err := battery.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, reading.ExternalPower); diff != "" {
					t.Errorf("external power differs (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Every attribute fails in turn, with each error: the field is unknown, and no other is.
func TestPowerSupplyEveryFault(t *testing.T) {
	fields := map[string]string{
		"status": "status", "capacity": "", "voltage_now": "voltage_uv", "current_now": "current_ua",
		"temp": "temperature_decicelsius", "charge_full": "charge_full_uah", "cycle_count": "cycles", "health": "health",
		"charge_full_design": "charge_full_design_uah", "present": "",
	}
	for attribute, field := range fields {
		for _, fault := range []string{"!ENODATA", "!EAGAIN", "!ENODEV", "!EIO", "!EPERM", "!hang", `""`, "-", `"\n"`, `"\x00"`} {
			t.Run(attribute+" "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					tree := readTree(t, "healthy")
					defer tree.Remove(class)
					if err := tree.Set(class+"/bq27441-0/"+attribute, fault); err != nil {
						t.Fatal(err)
					}
					reading, err := batteries(t, hal.NewPowerSupply(tree))[0].Read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					want := healthy()
					if attribute == "capacity" {
						want.CapacityPercent = new(uint32(84)) // worked out from charge_now and charge_full
					}
					if attribute == "status" { // whose absence leaves the current as read
						want.Status = wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
					}
					if strings.HasPrefix(attribute, "charge_full") { // one alone is no share of the other
						want.HealthPercent = nil
					}
					if field != "" {
						m := want.ProtoReflect()
						m.Clear(m.Descriptor().Fields().ByName(protoreflect.Name(field)))
					}
					if diff := cmp.Diff(want, reading, protocmp.Transform()); diff != "" {
						t.Errorf("reading differs (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// slow is a tree behind a slow bus.
type slow struct {
	fs.FS
	takes time.Duration
}

func (s slow) ReadFile(name string) ([]byte, error) {
	time.Sleep(s.takes)
	return fs.ReadFile(s.FS, name)
}

// A slow bus gives as much as it can in three seconds, and hangs when that is nothing.
func TestPowerSupplySlowBus(t *testing.T) {
	for _, test := range []struct {
		name  string
		tree  string
		takes time.Duration
		want  *wire.Battery
		err   error
	}{
		{"fast enough", "healthy", 100 * time.Millisecond, healthy(), nil},
		{"too slow for all", "healthy", 900 * time.Millisecond, &wire.Battery{Name: "bq27441-0", Status: discharging}, nil},
		{"too slow for anything", "garbage", 900 * time.Millisecond, nil, hal.ErrHung},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				battery := batteries(t, hal.NewPowerSupply(slow{readTree(t, test.tree), test.takes}))[0]
				started := time.Now()
				reading, err := battery.Read(t.Context())
				if took := time.Since(started); took > 3*time.Second {
					t.Errorf("Read took %v", took)
				}
				if diff := cmp.Diff(test.want, reading, protocmp.Transform()); diff != "" || !errors.Is(err, test.err) {
					t.Errorf("error is %v; reading differs (-want +got):\n%s", err, diff)
				}
				time.Sleep(time.Second) // until the last read is back
			})
		})
	}
}

// A device that is being removed is gone, though its directory is still there.
func TestPowerSupplyBeingRemoved(t *testing.T) {
	tree := readTree(t, "healthy")
	battery := batteries(t, hal.NewPowerSupply(tree))[0]
	if err := tree.Set(class+"/bq27441-0/type", "!ENODEV"); err != nil {
		t.Fatal(err)
	}
	if _, err := battery.Read(t.Context()); !errors.Is(err, hal.ErrGone) {
		t.Errorf("error is %v, want %v", err, hal.ErrGone)
	}
}

// A driver without a sign, or with the wrong one, is found out after ten readings that contradict the state.
func TestPowerSupplySign(t *testing.T) {
	tree := readTree(t, "inverted")
	battery := batteries(t, hal.NewPowerSupply(tree))[0]
	found := new(bool)
	current := func() *int64 {
		t.Helper()
		reading, err := battery.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found = reading.CurrentSignInverted
		return reading.CurrentUa
	}
	for range 9 {
		if got := current(); got != nil || found != nil {
			t.Fatal("the current is told, or what its sign is, while that is in doubt")
		}
	}
	if got := current(); got == nil || *got != -241000 {
		t.Fatalf("current at the tenth reading is %v, want -241000", got)
	}
	if note := battery.(interface{ Note() string }).Note(); note != "sign=inverted" || found == nil || !*found {
		t.Errorf("note is %q, and the reading says %v", note, found)
	}
	for _, step := range []struct{ attribute, content string }{{"status", "Charging"}, {"current_now", "-900000"}} {
		if err := tree.Set(class+"/battery/"+step.attribute, step.content); err != nil {
			t.Fatal(err)
		}
	}
	if got := current(); got == nil || *got != 900000 {
		t.Errorf("current while charging is %v, want 900000", got)
	}
}
