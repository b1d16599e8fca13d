package hal_test

import (
	"encoding/binary"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

// max17048Kind is a cell that is being charged.
var max17048Kind = gaugeKind{
	chip: "max17048", address: 0x36, order: binary.BigEndian,
	good: registers{
		0x02: 0xC350, // VCELL
		0x04: 0x3280, // SOC
		0x08: 0x0012, // VERSION
		0x16: 0x0032, // CRATE
	},
	want: func() *wire.Battery {
		return &wire.Battery{
			Name: "max17048", Status: charging, CapacityPercent: new(uint32(50)), VoltageUv: new(int64(3_906_250)),
			ChargeRateMillipercentPerHour: new(int32(10_400)),
		}
	},
}

// The values are of hardware.md's kind: registers of real chips, and the edges of their types.
func TestMAX17048(t *testing.T) {
	const unknown = wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
	testVectors(t, max17048Kind, []vector{
		{"as it is", nil, func(*wire.Battery) {}},
		{"another voltage", registers{0x02: 0xA8C0}, func(b *wire.Battery) { b.VoltageUv = new(int64(3_375_000)) }},
		{"the lowest bit of the voltage", registers{0x02: 0xC351}, func(b *wire.Battery) { b.VoltageUv = new(int64(3_906_328)) }},
		{"full", registers{0x04: 0x6400}, func(b *wire.Battery) { b.CapacityPercent = new(uint32(100)) }},
		{"nearly one percent", registers{0x04: 0x00FF}, func(b *wire.Battery) { b.CapacityPercent = new(uint32(0)) }},
		{"more than full", registers{0x04: 0x6580}, func(b *wire.Battery) { b.CapacityPercent = new(uint32(100)) }},
		{"no charge at all", registers{0x04: 0xFFFF}, func(b *wire.Battery) { b.CapacityPercent = nil }},
		{"slowest up", registers{0x16: 0x0001}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = unknown, new(int32(208))
		}},
		{"slowest down", registers{0x16: 0xFFFF}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = unknown, new(int32(-208))
		}},
		{"at rest", registers{0x16: 0x0000}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = unknown, new(int32(0))
		}},
		{"running", registers{0x16: 0xFFC0}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = discharging, new(int32(-13_312))
		}},
		{"beyond 16 bits", registers{0x16: 0x00C8}, func(b *wire.Battery) { b.ChargeRateMillipercentPerHour = new(int32(41_600)) }},
		{"beyond 16 bits down", registers{0x16: 0xFF38}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = discharging, new(int32(-41_600))
		}},
		{"fastest up", registers{0x16: 0x7FFF}, func(b *wire.Battery) { b.ChargeRateMillipercentPerHour = new(int32(6_815_536)) }},
		{"fastest down", registers{0x16: 0x8000}, func(b *wire.Battery) {
			b.Status, b.ChargeRateMillipercentPerHour = discharging, new(int32(-6_815_744))
		}},
	})
}
