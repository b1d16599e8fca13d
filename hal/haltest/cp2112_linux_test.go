package haltest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// plug plugs a bridge in, and returns it with the name of its adapter once that can be opened. It skips the test where the
// kernel has no uhid.
func plug(t *testing.T, bus *haltest.Bus) (bridge *haltest.CP2112, adapter string) {
	t.Helper()
	bridge, err := haltest.PlugCP2112(bus)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		names, _ := filepath.Glob("/sys/bus/i2c/devices/i2c-*/name")
		for _, name := range names {
			content, _ := os.ReadFile(name)
			_, err := os.Stat(filepath.Join("/dev", filepath.Base(filepath.Dir(name))))
			if adapter := strings.TrimSpace(string(content)); strings.HasPrefix(adapter, "CP2112") && err == nil {
				return bridge, adapter
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = bridge.Unplug()
	t.Skip("the kernel has no driver for a CP2112")
	return nil, ""
}

// adapterDirectory returns where sysfs has the adapter of a name.
func adapterDirectory(t *testing.T, adapter string) string {
	t.Helper()
	names, _ := filepath.Glob("/sys/bus/i2c/devices/i2c-*/name")
	for _, name := range names {
		if content, _ := os.ReadFile(name); strings.TrimSpace(string(content)) == adapter {
			return filepath.Dir(name)
		}
	}
	t.Fatalf("there is no adapter %s", adapter)
	return ""
}

// listDevice makes the kernel know of a device ("sbs-battery 0x0b"), as a device tree does, and returns its directory
// ("1-000b"). Documentation/i2c/instantiating-devices.rst, method 4.
func listDevice(t *testing.T, adapter, device string) string {
	t.Helper()
	at := adapterDirectory(t, adapter)
	if err := os.WriteFile(filepath.Join(at, "new_device"), []byte(device), 0o600); err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(device, " ")
	n, err := strconv.ParseUint(address, 0, 16)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s-%04x", strings.TrimPrefix(filepath.Base(at), "i2c-"), n)
}

func smartBattery() *haltest.Bus {
	bus := haltest.NewBus()
	for register, value := range map[byte]uint16{
		0x03: 0, 0x08: 2982, 0x09: 11423, 0x0A: 0xFE0C, 0x0D: 81, 0x10: 4310, 0x12: 344, 0x13: 0xFFFF, 0x16: 0xC0, 0x17: 63, 0x18: 4400,
		0x1A: 0x21, 0x1C: 4711,
	} {
		bus.Set(0x0B, register, byte(value), byte(value>>8))
	}
	bus.Set(0x0B, 0x21, append([]byte{7}, "PT-3S1P"...)...)
	return bus
}

// A gauge and a switch behind a bridge that the kernel drives: read, hung, and unplugged again and again.
func TestKernelCP2112(t *testing.T) {
	bus := smartBattery()
	bridge, adapter := plug(t, bus)
	chip, _ := hal.ChipNamed("sbs")
	board := hal.Open(hal.Profile{
		SystemBus: hal.NoBus,
		Gauges:    []hal.GaugeAt{{Chip: chip, Bus: adapter, Name: "pack"}},
		Tamper:    &hal.Pin{Chip: "cp2112_gpio", Line: "3"},
	})
	defer board.Close()
	ctx, cancel := context.WithCancel(t.Context())
	states := make(chan hal.Contact, 100)
	var watching sync.WaitGroup
	watching.Go(func() { board.WatchContacts(ctx, func(_ wire.ContactKind, s hal.Contact) { states <- s }) })
	defer watching.Wait()
	defer cancel()

	next := func(when string) hal.Contact {
		t.Helper()
		select {
		case s := <-states:
			t.Logf("%s: %+v", when, s)
			return s
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: nothing was told; %+v", when, board.Found())
			return hal.Contact{}
		}
	}
	pack := func() *wire.Battery {
		for _, b := range board.Batteries(t.Context()) {
			if b.Name == "pack" {
				return b
			}
		}
		return nil
	}

	if s := next("at the start"); s.Active || s.Err != nil {
		t.Errorf("the switch is %+v at the start", s)
	}
	if b := pack(); b.GetVoltageUv() != 11_423_000 || b.GetModel() != "PT-3S1P" || b.GetCurrentUa() != -500_000 {
		t.Errorf("the battery reads %v; %+v", b, board.Found())
	}
	started := time.Now()
	for range 20 {
		if pack() == nil {
			t.Fatalf("the battery does not read; %+v", board.Found())
		}
	}
	t.Logf("a reading takes %v", time.Since(started)/20)
	bridge.Drive(3, true)
	if s := next("opened"); !s.Active {
		t.Errorf("the switch is %+v after it was opened", s)
	}

	bus.Fail(haltest.BusHangs)
	if b := pack(); b != nil {
		t.Errorf("a hung bus reads %v", b)
	}
	bus.Fail(haltest.BusWorks)

	for range 5 {
		open, _ := os.ReadDir("/proc/self/fd")
		if err := bridge.Unplug(); err != nil {
			t.Fatal(err)
		}
		if b := pack(); b != nil {
			t.Errorf("unplugged, it reads %v", b)
		}
		bridge, _ = plug(t, bus)
		bridge.Drive(3, true)
		for deadline := time.Now().Add(20 * time.Second); pack() == nil; {
			if time.Now().After(deadline) {
				t.Fatalf("the battery did not come back; %+v", board.Found())
			}
		}
		if again, _ := os.ReadDir("/proc/self/fd"); len(again) > len(open)+2 {
			t.Errorf("%d descriptors, %d before", len(again), len(open))
		}
	}
	bridge.Drive(3, false)
	if s := next("closed after it came back"); s.Active || s.Err != nil {
		t.Errorf("the switch is %+v, want closed", s)
	}
	cancel()
	watching.Wait()
	if err := bridge.Unplug(); err != nil {
		t.Error(err)
	}
	if bus.Wrote() != 0 {
		t.Errorf("%d transfers wrote to the battery", bus.Wrote())
	}
}

// A gauge that the kernel knows of is found without a profile: by the kernel's driver where it has one, else by ours, and never
// by both.
func TestKernelCP2112Listed(t *testing.T) {
	bus := smartBattery()
	bridge, adapter := plug(t, bus)
	defer func() { _ = bridge.Unplug() }()
	directory := listDevice(t, adapter, "sbs-battery 0x0b")
	chip, _ := hal.ChipNamed("sbs")
	for _, gauges := range [][]hal.GaugeAt{nil, {{Chip: chip, Bus: adapter}}} {
		board := hal.Open(hal.Profile{SystemBus: hal.NoBus, Gauges: gauges})
		var got []*wire.Battery
		for _, b := range board.Batteries(t.Context()) {
			if b.GetVoltageUv() == 11_423_000 { // others may be there
				got = append(got, b)
			}
		}
		if len(got) != 1 || got[0].Name != "sbs-"+directory || got[0].GetStatus() != wire.ChargeStatus_CHARGE_STATUS_DISCHARGING ||
			got[0].GetHealthPercent() != 97 || got[0].GetTemperatureDecicelsius() != 251 {
			t.Errorf("batteries are %v; %+v", got, board.Found())
		}
		board.Close()
	}
}
