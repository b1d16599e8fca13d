package hal_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// sbsKind is a pack of three cells with packet error codes, that runs the terminal.
var sbsKind = gaugeKind{
	chip: "sbs", address: 0x0B, order: binary.LittleEndian,
	good: registers{
		0x03: 0x0000, // BatteryMode: mAh
		0x08: 2982,   // Temperature
		0x09: 11423,  // Voltage
		0x0A: 0xFE0C, // Current
		0x0D: 81,     // RelativeStateOfCharge
		0x10: 4310,   // FullChargeCapacity
		0x12: 344,    // AverageTimeToEmpty
		0x13: 0xFFFF, // AverageTimeToFull
		0x16: 0x00C0, // BatteryStatus: initialised, discharging
		0x17: 63,     // CycleCount
		0x18: 4400,   // DesignCapacity
		0x1A: 0x0031, // SpecificationInfo: 1.1 with PEC
		0x1C: 4711,   // SerialNumber
	},
	texts: map[byte]string{0x21: "PT-3S1P"},
	want: func() *wire.Battery {
		return &wire.Battery{
			Name: "sbs", Status: discharging, CapacityPercent: new(uint32(81)), VoltageUv: new(int64(11_423_000)),
			CurrentUa: new(int64(-500_000)), TemperatureDecicelsius: new(int32(251)), ChargeFullUah: new(int64(4_310_000)),
			ChargeFullDesignUah: new(int64(4_400_000)), HealthPercent: new(uint32(97)), Cycles: new(uint32(63)),
			TimeToEmptySeconds: new(uint32(20_640)), Model: "PT-3S1P",
		}
	},
}

func TestSBS(t *testing.T) {
	testVectors(t, sbsKind, []vector{
		{"with error codes", nil, func(*wire.Battery) {}},
		{"without error codes", registers{0x1A: 0x0021}, func(*wire.Battery) {}},
		{"of version 1.0", registers{0x1A: 0x0011}, func(*wire.Battery) {}},
		{"counts energy", registers{0x03: 0x8000}, func(b *wire.Battery) {
			b.ChargeFullUah, b.ChargeFullDesignUah = nil, nil
			b.EnergyFullUwh, b.EnergyFullDesignUwh = new(int64(43_100_000)), new(int64(44_000_000))
		}},
		{"needs calibration", registers{0x03: 0x0080}, func(b *wire.Battery) { b.Health = "Calibration required" }},
		{"hot", registers{0x16: 0x10C0}, func(b *wire.Battery) { b.Health = "Overheat" }},
		{"more than full", registers{0x0D: 104}, func(b *wire.Battery) { b.CapacityPercent = new(uint32(100)) }},
		{"full", registers{0x16: 0x00A0, 0x0A: 0}, func(b *wire.Battery) { b.Status, b.CurrentUa = full, new(int64(0)) }},
		{"full, still charging", registers{0x16: 0x00A0, 0x0A: 120}, func(b *wire.Battery) { b.Status, b.CurrentUa = charging, new(int64(120_000)) }},
		{"full, in use", registers{0x16: 0x00A0}, func(*wire.Battery) {}},
		{"charging", registers{0x16: 0x0080, 0x0A: 2000, 0x12: 0xFFFF, 0x13: 50}, func(b *wire.Battery) {
			b.Status, b.CurrentUa, b.TimeToEmptySeconds, b.TimeToFullSeconds = charging, new(int64(2_000_000)), nil, new(uint32(3000))
		}},
		{"at rest", registers{0x16: 0x00C0, 0x0A: 0}, func(b *wire.Battery) { b.Status, b.CurrentUa = notCharging, new(int64(0)) }},
		{"status late", registers{0x0A: 900}, func(b *wire.Battery) { b.CurrentUa = nil }},
		{"scaled", registers{0x1A: 0x2131, 0x09: 4800}, func(b *wire.Battery) {
			b.VoltageUv, b.CurrentUa = new(int64(48_000_000)), new(int64(-50_000_000))
			b.ChargeFullUah, b.ChargeFullDesignUah = new(int64(431_000_000)), new(int64(440_000_000))
		}},
		{"frost", registers{0x08: 2531}, func(b *wire.Battery) { b.TemperatureDecicelsius = new(int32(-200)) }},
		{"nothing behind some registers", registers{0x17: 0xFFFF, 0x10: 0xFFFF}, func(b *wire.Battery) {
			b.Cycles, b.ChargeFullUah, b.HealthPercent = nil, nil, nil
		}},
		{"no times", registers{0x12: 0xFFFF}, func(b *wire.Battery) { b.TimeToEmptySeconds = nil }},
	})
}

// A pack that lacks what real packs lack is read without it.
func TestSBSWithoutOptionalCommands(t *testing.T) {
	bus := haltest.NewBus()
	for register, value := range sbsKind.good {
		switch register {
		case 0x08, 0x09, 0x0A, 0x0D, 0x16:
			bus.Set(sbsKind.address, register, sbsKind.answer(register, value)...)
		}
	}
	expectGauge(t, sbsKind.gauge(t, bus.Open), &wire.Battery{
		Name: "sbs", Status: discharging, CapacityPercent: new(uint32(81)), VoltageUv: new(int64(11_423_000)),
		CurrentUa: new(int64(-500_000)), TemperatureDecicelsius: new(int32(251)),
	})
}

// Where a pack has packet error codes, no disturbed word gets through: a reading is right, or there is none.
func TestSBSDisturbed(t *testing.T) {
	bus := haltest.NewBus()
	sbsKind.put(bus, sbsKind.good)
	g := sbsKind.gauge(t, bus.Open)
	expectGauge(t, g, sbsKind.want())
	for range 200 {
		bus.Set(sbsKind.address, 0x0D, 0x51, 0x00, 0x00) // a wrong code
		if r, err := g.Read(t.Context()); !errors.Is(err, hal.ErrUnusable) {
			t.Fatalf("got %v, %v", r, err)
		}
		bus.Set(sbsKind.address, 0x0D, sbsKind.answer(0x0D, 81)...)
		expectGauge(t, g, sbsKind.want())
	}
}

// A battery that is swapped for another has the other's name at once.
func TestSBSSwap(t *testing.T) {
	bus := haltest.NewBus()
	sbsKind.put(bus, sbsKind.good)
	g := sbsKind.gauge(t, bus.Open)
	expectGauge(t, g, sbsKind.want())
	bus.Set(sbsKind.address, 0x21, sbsKind.textAnswer(0x21, "PT-3S2P")...)
	bus.Set(sbsKind.address, 0x1C, sbsKind.answer(0x1C, 4712)...)
	want := sbsKind.want()
	want.Model = "PT-3S2P"
	expectGauge(t, g, want)
}
