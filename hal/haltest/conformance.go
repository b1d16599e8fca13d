package haltest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// patience is how long "within a few seconds" is, in the promise of hal.Battery.
const patience = 5 * time.Second

// BatteryBench is a battery that can be reached from both sides.
type BatteryBench struct {
	// Battery is what is tested.
	Battery hal.Battery
	// Want is what it reads, with every field that the driver knows.
	Want *wire.Battery
	// Hang makes the hardware hang, Garble makes it answer nonsense, Remove takes it out.
	Hang, Garble, Remove func()
	// Restore brings it back as it was at first.
	Restore func()
}

// TestBattery checks that an implementation of hal.Battery keeps the promises of the interface. open is called once for
// each of them, in a bubble of testing/synctest.
func TestBattery(t *testing.T, open func(t *testing.T) BatteryBench) {
	for _, promise := range []struct {
		name string
		test func(t *testing.T, b BatteryBench)
	}{
		{"reads", testReads},
		{"in range", testInRange},
		{"owned by the caller", testOwned},
		{"concurrent", testConcurrent},
		{"cancelled", testCancelled},
		{"gone and back", testGone},
		{"garbled", testGarbled},
		{"hung", testHung},
		{"cancelled while hung", testCancelledWhileHung},
		{"hung for long", testHungForLong},
	} {
		t.Run(promise.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := open(t)
				defer b.Restore() // lets go of hung reads
				promise.test(t, b)
			})
		})
	}
}

func testReads(t *testing.T, b BatteryBench) {
	if name := b.Battery.Name(); name == "" || len(name) > 64 || name != b.Battery.Name() || name != b.Want.Name {
		t.Errorf("name is %q, want %q: 1 to 64 characters, the same at each call", name, b.Want.Name)
	}
	expectReading(t, b)
}

func testInRange(t *testing.T, b BatteryBench) {
	r, err := b.Battery.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	CheckBattery(t, r)
}

// CheckBattery fails the test unless every value of a reading is unset or in the range that the schema gives it.
func CheckBattery(t *testing.T, r *wire.Battery) {
	t.Helper()
	for _, field := range []struct {
		name        string
		known       bool
		value       int64
		least, most int64
	}{
		{"capacity_percent", r.CapacityPercent != nil, int64(r.GetCapacityPercent()), 0, 100},
		{"voltage_uv", r.VoltageUv != nil, r.GetVoltageUv(), 1, 1e9},
		{"current_ua", r.CurrentUa != nil, r.GetCurrentUa(), -1e9, 1e9},
		{"temperature_decicelsius", r.TemperatureDecicelsius != nil, int64(r.GetTemperatureDecicelsius()), -400, 1250},
		{"charge_full_uah", r.ChargeFullUah != nil, r.GetChargeFullUah(), 1, 1e12},
		{"charge_full_design_uah", r.ChargeFullDesignUah != nil, r.GetChargeFullDesignUah(), 1, 1e12},
		{"energy_full_uwh", r.EnergyFullUwh != nil, r.GetEnergyFullUwh(), 1, 1e12},
		{"energy_full_design_uwh", r.EnergyFullDesignUwh != nil, r.GetEnergyFullDesignUwh(), 1, 1e12},
		{"charge_rate_millipercent_per_hour", r.ChargeRateMillipercentPerHour != nil, int64(r.GetChargeRateMillipercentPerHour()), -6_815_744, 6_815_536},
		{"health_percent", r.HealthPercent != nil, int64(r.GetHealthPercent()), 0, 110},
		{"time_to_empty_seconds", r.TimeToEmptySeconds != nil, int64(r.GetTimeToEmptySeconds()), 0, 3_932_040},
		{"time_to_full_seconds", r.TimeToFullSeconds != nil, int64(r.GetTimeToFullSeconds()), 0, 3_932_040},
	} {
		if field.known && (field.value < field.least || field.value > field.most) {
			t.Errorf("%s is %d, out of %d to %d", field.name, field.value, field.least, field.most)
		}
	}
	if r.Status == wire.ChargeStatus_CHARGE_STATUS_DISCHARGING && r.GetCurrentUa() > 0 {
		t.Errorf("current is %d µA while discharging, want it negative", r.GetCurrentUa())
	}
	for name, text := range map[string]string{"health": r.Health, "model": r.Model} {
		if len(text) > 64 {
			t.Errorf("%s has %d characters, want at most 64", name, len(text))
		}
	}
}

func testOwned(t *testing.T, b BatteryBench) {
	r, err := b.Battery.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proto.Reset(r)
	expectReading(t, b)
}

func testConcurrent(t *testing.T, b BatteryBench) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if r, err := b.Battery.Read(t.Context()); err != nil {
					t.Error(err)
				} else {
					r.Name = "" // a race if it is not ours
				}
			}
		})
	}
	wg.Wait()
}

func testCancelled(t *testing.T, b BatteryBench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Battery.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error after cancel is %v, want %v", err, context.Canceled)
	}
}

func testGone(t *testing.T, b BatteryBench) {
	for range 3 {
		b.Remove()
		expectError(t, b, hal.ErrGone)
		b.Restore()
		expectReading(t, b)
	}
}

func testGarbled(t *testing.T, b BatteryBench) {
	b.Garble()
	expectError(t, b, hal.ErrUnusable)
	b.Restore()
	expectReading(t, b)
}

func testHung(t *testing.T, b BatteryBench) {
	b.Hang()
	expectError(t, b, hal.ErrHung)
	b.Restore()
	synctest.Wait()
	expectReading(t, b)
}

func testCancelledWhileHung(t *testing.T, b BatteryBench) {
	b.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := b.Battery.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(started); took != 10*time.Millisecond {
		t.Errorf("Read returned %v after the start, want at once when ctx ends", took)
	}
}

func testHungForLong(t *testing.T, b BatteryBench) {
	b.Hang()
	goroutines := func(reads int) int {
		for range reads {
			expectError(t, b, hal.ErrHung)
		}
		synctest.Wait()
		return runtime.NumGoroutine()
	}
	early := goroutines(10)
	if late := goroutines(200); late > early+20 { // the runtime has some of its own
		t.Errorf("%d goroutines after 10 hung reads, %d after 210", early, late)
	}
}

// expectReading fails the test unless the battery reads as it should.
func expectReading(t *testing.T, b BatteryBench) {
	t.Helper()
	r, err := b.Battery.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Want, r, protocmp.Transform()); diff != "" {
		t.Errorf("reading differs (-want +got):\n%s", diff)
	}
}

// expectError fails the test unless reading fails with want, in time and without a reading.
func expectError(t *testing.T, b BatteryBench, want error) {
	t.Helper()
	started := time.Now()
	r, err := b.Battery.Read(t.Context())
	if !errors.Is(err, want) || r != nil {
		t.Fatalf("got %v and error %v, want %v", r, err, want)
	}
	if took := time.Since(started); took > patience {
		t.Errorf("Read took %v, want at most %v", took, patience)
	}
}
