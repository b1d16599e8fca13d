package haltest_test

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
)

// cycles returns how often an adapter is unplugged and plugged in again: what the environment has as CYCLES, or a hundred
// times.
func cycles() int {
	if n, err := strconv.Atoi(os.Getenv("CYCLES")); err == nil {
		return n
	}
	return 100
}

// An adapter that comes and goes is picked up again each time, and leaves no descriptor, no goroutine and no open bus behind. It is
// read while it goes, too.
func TestKernelCP2112UnplugCycles(t *testing.T) {
	bus := smartBattery()
	bridge, adapter := plug(t, bus)
	chip, _ := hal.ChipNamed("sbs")
	board := hal.Open(hal.Profile{SystemBus: hal.NoBus, Gauges: []hal.GaugeAt{{Chip: chip, Bus: adapter, Name: "pack"}}})
	defer board.Close()
	there := func() bool {
		for _, b := range board.Batteries(t.Context()) {
			if b.Name == "pack" {
				return b.GetVoltageUv() == 11_423_000
			}
		}
		return false
	}
	if !there() {
		t.Fatalf("the battery does not read; %+v", board.Found())
	}
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	for cycle := range cycles() {
		var reading sync.WaitGroup
		if cycle%10 == 0 {
			reading.Go(func() { there() })
		}
		if err := bridge.Unplug(); err != nil {
			t.Fatal(err)
		}
		reading.Wait()
		if cycle%10 == 1 && there() {
			t.Fatal("unplugged, it reads")
		}
		bridge, _ = plug(t, bus)
		for deadline := time.Now().Add(5 * time.Second); !there(); {
			if time.Now().After(deadline) {
				t.Fatalf("the battery did not come back in cycle %d; %+v", cycle, board.Found())
			}
		}
	}
	if after := openDescriptors(t); after > descriptors {
		t.Errorf("%d descriptors, %d before", after, descriptors)
	}
	if after := runtime.NumGoroutine(); after > goroutines {
		t.Errorf("%d goroutines, %d before", after, goroutines)
	}
	if err := bridge.Unplug(); err != nil {
		t.Error(err)
	}
}

// A bus that hangs holds up nothing but what is on it, and so does an adapter that says nothing: what else the terminal has is
// read as fast as ever. What hung is read when it is well again.
func TestKernelCP2112HungBus(t *testing.T) {
	for name, fault := range map[string]func(bridge *haltest.CP2112, bus *haltest.Bus, well bool){
		"a transfer does not end": func(_ *haltest.CP2112, bus *haltest.Bus, well bool) {
			bus.Fail(map[bool]haltest.BusFault{false: haltest.BusHangs, true: haltest.BusWorks}[well])
		},
		"the adapter is silent": func(bridge *haltest.CP2112, _ *haltest.Bus, well bool) { bridge.Silence(!well) },
	} {
		t.Run(name, func(t *testing.T) {
			bus, other := smartBattery(), smartBattery()
			bridge, adapter := plug(t, bus)
			defer func() { _ = bridge.Unplug() }()
			chip, _ := hal.ChipNamed("sbs")
			board := hal.Open(hal.Profile{
				SystemBus: hal.NoBus,
				Gauges:    []hal.GaugeAt{{Chip: chip, Bus: adapter, Name: "pack"}},
				Batteries: []hal.Battery{hal.NewGauge("other", chip, 0, other.Open)},
			})
			defer board.Close()
			names := func() (names []string) {
				for _, b := range board.Batteries(t.Context()) {
					names = append(names, b.Name)
				}
				return names
			}
			fault(bridge, bus, false)
			var hung sync.WaitGroup
			for range 3 {
				hung.Go(func() {
					for range 3 {
						started := time.Now()
						if read := names(); !slices.Contains(read, "other") || slices.Contains(read, "pack") {
							t.Errorf("read %v", read)
						}
						if took := time.Since(started); took > 4*time.Second {
							t.Errorf("the batteries took %v", took)
						}
					}
				})
			}
			for range 10 {
				started := time.Now()
				board.Host(t.Context())
				if took := time.Since(started); took > time.Second {
					t.Errorf("the host took %v while the bus hangs", took)
				}
			}
			hung.Wait()
			fault(bridge, bus, true)
			for well := time.Now(); !slices.Contains(names(), "pack"); {
				if time.Since(well) > 10*time.Second {
					t.Fatalf("the battery is not read again; %+v", board.Found())
				}
			}
		})
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
