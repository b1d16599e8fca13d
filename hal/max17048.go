package hal

import (
	"encoding/binary"

	"github.com/stampd/stampd/uplink/wire"
)

// Registers of the MAX17048 and MAX17049: data sheet 19-6171, table 2. Words are big-endian.
const (
	max17048VCELL   = 0x02 // 78.125 µV
	max17048SOC     = 0x04 // 1/256 %
	max17048VERSION = 0x08
	max17048CRATE   = 0x16 // 0.208 %/h, signed
)

// max17048Steady is the rate in thousandths of a percent per hour below which the chip's noise hides what the battery does.
const max17048Steady = 500

// max17048Chip models the cell's voltage. It has neither current nor temperature nor a count of cycles.
var max17048Chip = GaugeChip{
	name:    "max17048",
	names:   []string{"max17048", "max17049"},
	address: 0x36, order: binary.BigEndian,
	read: readMAX17048,
}

func readMAX17048(d *device) *wire.Battery {
	switch version := d.must(max17048VERSION); {
	case d.err != nil:
		return nil
	case version == 0xFFFF: // nobody pulls the bus down
		d.fail(ErrGone)
	case version&0xFFF0 != 0x0010:
		d.fail(ErrUnusable)
	}
	cell, charge, crate := d.must(max17048VCELL), d.must(max17048SOC), d.must(max17048CRATE)
	rate := int32(int16(crate)) * 208
	return &wire.Battery{
		Status:                        byRate(rate),
		CapacityPercent:               percentOf(int64(charge >> 8)),
		VoltageUv:                     within(int64(cell)*78_125/1000, minVoltage, maxCellVoltage),
		ChargeRateMillipercentPerHour: &rate,
	}
}

// byRate returns what a battery does as the rate of its charge tells it.
func byRate(rate int32) wire.ChargeStatus {
	switch {
	case rate >= max17048Steady:
		return wire.ChargeStatus_CHARGE_STATUS_CHARGING
	case rate <= -max17048Steady:
		return wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	}
	return wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
}
