package hal_test

import (
	"encoding/binary"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

// bq27z561Kind is a cell that runs the terminal.
var bq27z561Kind = gaugeKind{
	chip: "bq27z561", address: 0x55, order: binary.LittleEndian,
	good: registers{
		0x06: 0x0BA6, // TEMP
		0x08: 4011,   // VOLT
		0x0A: 0x00C0, // FLAGS: INIT, DIS_CH
		0x12: 5210,   // FCC
		0x14: 0xFE0C, // AI
		0x16: 381,    // TTE
		0x18: 0xFFFF, // TTF
		0x2A: 118,    // CYCT
		0x2C: 61,     // SOC
		0x3C: 5400,   // DCAP
	},
	want: func() *wire.Battery {
		return &wire.Battery{
			Name: "bq27z561", Status: discharging, CapacityPercent: new(uint32(61)), VoltageUv: new(int64(4_011_000)),
			CurrentUa: new(int64(-500_000)), TemperatureDecicelsius: new(int32(251)), ChargeFullUah: new(int64(5_210_000)),
			ChargeFullDesignUah: new(int64(5_400_000)), HealthPercent: new(uint32(96)), Cycles: new(uint32(118)),
			TimeToEmptySeconds: new(uint32(22_860)), Health: "Good",
		}
	},
}

func TestBQ27Z561(t *testing.T) {
	testVectors(t, bq27z561Kind, []vector{
		{"as it is", nil, func(*wire.Battery) {}},
		{"charging", registers{0x0A: 0x0080, 0x14: 1500, 0x16: 0xFFFF, 0x18: 74}, func(b *wire.Battery) {
			b.Status, b.CurrentUa, b.TimeToEmptySeconds, b.TimeToFullSeconds = charging, new(int64(1_500_000)), nil, new(uint32(4440))
		}},
		{"full", registers{0x0A: 0x00A0, 0x14: 0, 0x16: 0xFFFF}, func(b *wire.Battery) {
			b.Status, b.CurrentUa, b.TimeToEmptySeconds = full, new(int64(0)), nil
		}},
		{"the other chip's bit for full", registers{0x0A: 0x0280, 0x14: 0}, func(b *wire.Battery) {
			b.Status, b.CurrentUa = notCharging, new(int64(0))
		}},
		{"empty", registers{0x0A: 0x00D0}, func(b *wire.Battery) { b.Health = "Dead" }},
		{"new", registers{0x2A: 0}, func(b *wire.Battery) { b.Cycles = new(uint32(0)) }},
		{"nothing behind some registers", registers{0x2A: 0xFFFF, 0x12: 0xFFFF}, func(b *wire.Battery) {
			b.Cycles, b.ChargeFullUah, b.HealthPercent = nil, nil, nil
		}},
		{"longest time", registers{0x16: 65534}, func(b *wire.Battery) { b.TimeToEmptySeconds = new(uint32(3_932_040)) }},
	})
}
