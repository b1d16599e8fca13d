package hal_test

import (
	"encoding/binary"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

// bq27441Kind is a cell that runs the terminal.
var bq27441Kind = gaugeKind{
	chip: "bq27441", address: 0x55, order: binary.LittleEndian,
	good: registers{
		0x02: 0x0BA6, // TEMP
		0x04: 3842,   // VOLT
		0x06: 0x0009, // FLAGS: BAT_DET, DSG
		0x0E: 2480,   // FCC
		0x10: 0xFE0C, // AI
		0x1C: 77,     // SOC
		0x3C: 2600,   // DCAP
	},
	want: func() *wire.Battery {
		return &wire.Battery{
			Name: "bq27441", Status: discharging, CapacityPercent: new(uint32(77)), VoltageUv: new(int64(3_842_000)),
			CurrentUa: new(int64(-500_000)), TemperatureDecicelsius: new(int32(251)), ChargeFullUah: new(int64(2_480_000)),
			ChargeFullDesignUah: new(int64(2_600_000)), HealthPercent: new(uint32(95)), Health: "Good",
		}
	},
}

func TestBQ27441(t *testing.T) {
	testVectors(t, bq27441Kind, []vector{
		{"as it is", nil, func(*wire.Battery) {}},
		{"charging", registers{0x06: 0x0108, 0x10: 812}, func(b *wire.Battery) { b.Status, b.CurrentUa = charging, new(int64(812_000)) }},
		{"full", registers{0x06: 0x0208, 0x10: 0, 0x1C: 100}, func(b *wire.Battery) {
			b.Status, b.CurrentUa, b.CapacityPercent = full, new(int64(0)), new(uint32(100))
		}},
		{"full and in use", registers{0x06: 0x0208}, func(*wire.Battery) {}},
		{"at rest", registers{0x06: 0x0008, 0x10: 0}, func(b *wire.Battery) { b.Status, b.CurrentUa = notCharging, new(int64(0)) }},
		{"strongest current", registers{0x10: 0x8000}, func(b *wire.Battery) { b.CurrentUa = new(int64(-32_768_000)) }},
		{"more than full", registers{0x1C: 103}, func(b *wire.Battery) { b.CapacityPercent = new(uint32(100)) }},
		{"no charge at all", registers{0x1C: 0xFFFF}, func(b *wire.Battery) { b.CapacityPercent = nil }},
		{"no sensor", registers{0x02: 0}, func(b *wire.Battery) { b.TemperatureDecicelsius = nil }},
		{"frost", registers{0x02: 2631}, func(b *wire.Battery) { b.TemperatureDecicelsius = new(int32(-100)) }},
		{"not learned", registers{0x0E: 0}, func(b *wire.Battery) { b.ChargeFullUah, b.HealthPercent = nil, nil }},
		{"no design", registers{0x3C: 0}, func(b *wire.Battery) { b.ChargeFullDesignUah, b.HealthPercent = nil, nil }},
		{"healthier than new", registers{0x3C: 2250}, func(b *wire.Battery) {
			b.ChargeFullDesignUah, b.HealthPercent = new(int64(2_250_000)), new(uint32(110))
		}},
		{"too healthy", registers{0x3C: 2000}, func(b *wire.Battery) { b.ChargeFullDesignUah, b.HealthPercent = new(int64(2_000_000)), nil }},
		{"hot", registers{0x06: 0x8009}, func(b *wire.Battery) { b.Health = "Overheat" }},
		{"cold", registers{0x06: 0x4009}, func(b *wire.Battery) { b.Health = "Cold" }},
		{"low", registers{0x06: 0x000D}, func(b *wire.Battery) { b.Health = "Dead" }},
		{"empty", registers{0x06: 0x000F}, func(b *wire.Battery) { b.Health = "Dead" }},
	})
}
