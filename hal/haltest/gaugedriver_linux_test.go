package haltest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// gaugeDrivers are gauges that the kernel has a driver for as well, and states that both must tell alike.
var gaugeDrivers = []struct {
	chip, device string
	address      uint16
	bigEndian    bool
	states       map[string]map[byte]uint16
	blocks       map[byte]string
	beyond       []protoreflect.Name // fields that the kernel's driver does not have
}{
	{
		chip: "sbs", device: "sbs-battery", address: 0x0B,
		blocks: map[byte]string{0x20: "stampd", 0x21: "PT-3S1P", 0x22: "LION"},
		states: map[string]map[byte]uint16{
			"discharging": {
				0x03: 0, 0x08: 2982, 0x09: 11423, 0x0A: 0xFE0C, 0x0B: 0xFE0C, 0x0C: 2, 0x0D: 81, 0x0F: 3490, 0x10: 4310,
				0x12: 344, 0x13: 0xFFFF, 0x14: 0, 0x15: 12600, 0x16: 0xC0, 0x17: 63, 0x18: 4400, 0x19: 10800, 0x1A: 0x21, 0x1C: 4711,
			},
			"charging, cold": {
				0x03: 0, 0x08: 2681, 0x09: 12011, 0x0A: 1500, 0x0B: 1480, 0x0C: 2, 0x0D: 34, 0x0F: 1460, 0x10: 4310,
				0x12: 0xFFFF, 0x13: 117, 0x14: 1500, 0x15: 12600, 0x16: 0x80, 0x17: 63, 0x18: 4400, 0x19: 10800, 0x1A: 0x21, 0x1C: 4711,
			},
			"full": {
				0x03: 0, 0x08: 2982, 0x09: 12588, 0x0A: 0, 0x0B: 0, 0x0C: 2, 0x0D: 100, 0x0F: 4310, 0x10: 4310,
				0x12: 0xFFFF, 0x13: 0xFFFF, 0x14: 0, 0x15: 12600, 0x16: 0xA0, 0x17: 63, 0x18: 4400, 0x19: 10800, 0x1A: 0x21, 0x1C: 4711,
			},
			"full, and still charging": {
				0x03: 0, 0x08: 2982, 0x09: 12588, 0x0A: 40, 0x0B: 40, 0x0C: 2, 0x0D: 103, 0x0F: 4310, 0x10: 4310,
				0x12: 0xFFFF, 0x13: 1, 0x14: 0, 0x15: 12600, 0x16: 0xA0, 0x17: 63, 0x18: 4400, 0x19: 10800, 0x1A: 0x21, 0x1C: 4711,
			},
			"units of 10 mWh": {
				0x03: 0x8000, 0x08: 3031, 0x09: 7400, 0x0A: 0xFF38, 0x0B: 0xFF38, 0x0C: 2, 0x0D: 50, 0x0F: 1850, 0x10: 3700,
				0x12: 740, 0x13: 0xFFFF, 0x14: 0, 0x15: 8400, 0x16: 0xC0, 0x17: 412, 0x18: 3900, 0x19: 7200, 0x1A: 0x21, 0x1C: 1,
			},
		},
	},
	{
		chip: "max17048", device: "max17048", address: 0x36, bigEndian: true,
		beyond: []protoreflect.Name{"charge_rate_millipercent_per_hour"},
		states: map[string]map[byte]uint16{
			"half": {0x02: 0xC350, 0x04: 0x3280, 0x06: 0, 0x08: 0x0012, 0x0A: 0x8030, 0x0C: 0x971C, 0x14: 0x00FF, 0x16: 0xFFFF, 0x18: 0, 0x1A: 0},
			"full": {0x02: 0xD200, 0x04: 0x6400, 0x06: 0, 0x08: 0x0012, 0x0A: 0x8030, 0x0C: 0x971C, 0x14: 0x00FF, 0x16: 0x0001, 0x18: 0, 0x1A: 0},
		},
	},
	{
		chip: "bq27441", device: "bq27441", address: 0x55,
		beyond: []protoreflect.Name{"health"},
		states: map[string]map[byte]uint16{
			"discharging": {0x00: 0, 0x02: 0x0BA6, 0x04: 3842, 0x06: 0x0009, 0x08: 1911, 0x0C: 1909, 0x0E: 2480, 0x10: 0xFE0C, 0x18: 0xF87F, 0x1C: 77, 0x1E: 2990, 0x20: 95, 0x3C: 2600},
			"full":        {0x00: 0, 0x02: 0x0BA6, 0x04: 4190, 0x06: 0x0208, 0x08: 2480, 0x0C: 2480, 0x0E: 2480, 0x10: 0, 0x18: 0, 0x1C: 100, 0x1E: 2990, 0x20: 95, 0x3C: 2600},
		},
	},
	{
		chip: "bq27z561", device: "bq27z561", address: 0x55,
		states: map[string]map[byte]uint16{
			"discharging": {0x00: 0, 0x06: 0x0BA6, 0x08: 3842, 0x0A: 0x00C0, 0x10: 1909, 0x12: 2480, 0x14: 0xFE0C, 0x16: 230, 0x18: 0xFFFF, 0x22: 0xF87F, 0x2A: 118, 0x2C: 77, 0x3C: 2600},
			"charging":    {0x00: 0, 0x06: 0x0BD0, 0x08: 4042, 0x0A: 0x0080, 0x10: 1909, 0x12: 2480, 0x14: 0x01F4, 0x16: 0xFFFF, 0x18: 69, 0x22: 2021, 0x2A: 118, 0x2C: 77, 0x3C: 2600},
		},
	},
}

// driverTries is how often a gauge is read: the bridge's driver takes an answer that is 50 ms late for none, as it is now and then
// on a machine that does much else.
const driverTries = 5

// A gauge says the same by the kernel's driver and by ours, in every field that both have.
func TestKernelGaugeDrivers(t *testing.T) {
	bus := haltest.NewBus()
	bridge, adapter := plug(t, bus)
	defer func() { _ = bridge.Unplug() }()
	for _, g := range gaugeDrivers {
		chip, known := hal.ChipNamed(g.chip)
		if !known {
			t.Fatalf("there is no chip %s", g.chip)
		}
		for name, state := range g.states {
			t.Run(g.chip+"/"+name, func(t *testing.T) {
				defer bus.Remove(g.address)
				for register, value := range state {
					if g.bigEndian {
						value = value<<8 | value>>8
					}
					bus.Set(g.address, register, byte(value), byte(value>>8))
				}
				for register, text := range g.blocks {
					bus.Set(g.address, register, append([]byte{byte(len(text))}, text...)...)
				}
				ignored := append([]protoreflect.Name{"name", "external_power"}, g.beyond...)
				same := cmp.Options{protocmp.Transform(), protocmp.IgnoreFields(new(wire.Battery), ignored...)}
				diff := "it was not read"
				for range driverTries {
					ours := readOurs(t, hal.GaugeAt{Chip: chip, Bus: adapter, Name: "ours"})
					kernels := readKernels(t, adapter, g.device, g.address)
					if ours == nil || kernels == nil {
						continue
					}
					if diff = cmp.Diff(kernels, ours, same); diff == "" {
						return
					}
				}
				t.Errorf("read by the kernel's driver (-) and by ours (+):\n%s", diff)
			})
		}
	}
}

// readOurs reads a gauge by our driver.
func readOurs(t *testing.T, at hal.GaugeAt) *wire.Battery {
	t.Helper()
	board := hal.Open(hal.Profile{SystemBus: hal.NoBus, Gauges: []hal.GaugeAt{at}})
	defer board.Close()
	return batteryNamed(t, board, at.Name)
}

// readKernels reads the gauge at an address by the kernel's driver, which it takes away again. It returns nil when the driver did
// not take the gauge.
func readKernels(t *testing.T, adapter, device string, address uint16) *wire.Battery {
	t.Helper()
	directory := listDevice(t, adapter, device+" "+hex(address))
	defer func() {
		if err := os.WriteFile(filepath.Join(adapterDirectory(t, adapter), "delete_device"), []byte(hex(address)), 0o600); err != nil {
			t.Error(err)
		}
	}()
	supplies, _ := filepath.Glob(filepath.Join("/sys/bus/i2c/devices", directory, "power_supply/*"))
	for range 50 {
		if len(supplies) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond) // a real kernel
		supplies, _ = filepath.Glob(filepath.Join("/sys/bus/i2c/devices", directory, "power_supply/*"))
	}
	if len(supplies) != 1 {
		return nil
	}
	board := hal.Open(hal.Profile{SystemBus: hal.NoBus})
	defer board.Close()
	return batteryNamed(t, board, filepath.Base(supplies[0]))
}

// batteryNamed reads the battery of a name, and returns nil when it can't be read.
func batteryNamed(t *testing.T, board *hal.Board, name string) *wire.Battery {
	t.Helper()
	for _, b := range board.Batteries(t.Context()) {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// hex returns an address as the kernel wants it.
func hex(address uint16) string { return fmt.Sprintf("%#02x", address) }
