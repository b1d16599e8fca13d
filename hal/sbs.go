package hal

import (
	"encoding/binary"

	"github.com/stampd/stampd/uplink/wire"
)

// Commands of a Smart Battery: Smart Battery Data Specification 1.1, clause 5.1. Words are little-endian (SMBus).
const (
	sbsBatteryMode     = 0x03
	sbsTemperature     = 0x08 // 0.1 K
	sbsVoltage         = 0x09 // mV
	sbsCurrent         = 0x0A // mA, signed
	sbsRelativeCharge  = 0x0D // %
	sbsFullCapacity    = 0x10 // mAh or 10 mWh
	sbsTimeToEmpty     = 0x12 // minutes, averaged
	sbsTimeToFull      = 0x13 // minutes, averaged
	sbsBatteryStatus   = 0x16
	sbsCycleCount      = 0x17
	sbsDesignCapacity  = 0x18 // mAh or 10 mWh
	sbsSpecification   = 0x1A
	sbsSerialNumber    = 0x1C
	sbsDeviceName      = 0x21 // a block
	sbsVersionWithPEC  = 3    // bits 4 to 7 of the specification: 1.1 with optional PEC
	sbsCapacityMode    = 1 << 15
	sbsConditionNeeded = 1 << 7
)

// Bits of the battery status: clause 5.1.22.
const (
	sbsOverTemperature = 1 << 12
	sbsDischarging     = 1 << 6
	sbsFullyCharged    = 1 << 5
)

// sbsChip is a battery with a gauge inside that tells all about itself. Commands that are optional, or that real packs are
// known to lack, may go unanswered.
var sbsChip = GaugeChip{
	name:    "sbs",
	names:   []string{"sbs-battery"},
	address: 0x0B, order: binary.LittleEndian,
	read: readSBS,
}

func readSBS(d *device) *wire.Battery {
	specification, told := d.may(sbsSpecification)
	d.pec = told && specification>>4&0xF == sbsVersionWithPEC
	volts, amperes := sbsScales(specification)
	status := d.must(sbsBatteryStatus)
	current := int16(d.must(sbsCurrent))
	reading := &wire.Battery{
		Status:                 sbsStatus(status, current),
		VoltageUv:              millivolts(d.must(sbsVoltage), volts, maxVoltage),
		CurrentUa:              milliamperes(int64(current) * amperes),
		TemperatureDecicelsius: decikelvin(d.must(sbsTemperature)),
		CapacityPercent:        percentOf(int64(d.must(sbsRelativeCharge))),
	}
	if status == 0xFFFF && uint16(current) == 0xFFFF { // nobody pulls the bus down
		d.fail(ErrGone)
	}
	if status&sbsOverTemperature != 0 {
		reading.Health = "Overheat"
	}
	if mode, ok := d.may(sbsBatteryMode); ok {
		d.sbsContent(reading, mode, amperes)
	}
	if cycles, ok := d.may(sbsCycleCount); ok {
		reading.Cycles = cyclesOf(cycles)
	}
	if minutes, ok := d.may(sbsTimeToEmpty); ok {
		reading.TimeToEmptySeconds = secondsOf(minutes)
	}
	if minutes, ok := d.may(sbsTimeToFull); ok {
		reading.TimeToFullSeconds = secondsOf(minutes)
	}
	reading.Model = d.sbsModel()
	return reading
}

// sbsContent reads what the battery holds, in the unit of its mode.
func (d *device) sbsContent(reading *wire.Battery, mode uint16, scale int64) {
	if mode&sbsConditionNeeded != 0 && reading.Health == "" {
		reading.Health = "Calibration required"
	}
	whole, design := &reading.ChargeFullUah, &reading.ChargeFullDesignUah
	unit := 1000 * scale
	if mode&sbsCapacityMode != 0 {
		whole, design = &reading.EnergyFullUwh, &reading.EnergyFullDesignUwh
		unit = 10_000 * scale
	}
	if n, ok := d.may(sbsFullCapacity); ok {
		*whole = contentOf(n, unit)
	}
	if n, ok := d.may(sbsDesignCapacity); ok {
		*design = contentOf(n, unit)
	}
}

// sbsModel returns the name that the battery has. It is read again when another battery is there.
func (d *device) sbsModel() string {
	serial, told := d.may(sbsSerialNumber)
	if !told || d.model == "" || serial != d.serial {
		d.serial, d.model = serial, d.block(sbsDeviceName)
	}
	return d.model
}

// sbsScales returns by what voltages, and currents and capacities, are to be multiplied: powers of ten that large
// batteries have (clause 5.1.26). Others than 1 to 1,000 are not defined.
func sbsScales(specification uint16) (volts, amperes int64) {
	powers := []int64{1, 10, 100, 1000}
	volts, amperes = 1, 1
	if n := int(specification >> 8 & 0xF); n < len(powers) {
		volts = powers[n]
	}
	if n := int(specification >> 12 & 0xF); n < len(powers) {
		amperes = powers[n]
	}
	return volts, amperes
}

// sbsStatus returns what the battery does. Its status may be late: where it is full or charging the current decides, as in
// Linux, drivers/power/supply/sbs-battery.c, sbs_status_correct.
func sbsStatus(status uint16, current int16) wire.ChargeStatus {
	switch {
	case status&sbsFullyCharged != 0:
		return byCurrent(current, true)
	case current == 0:
		return wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING
	case status&sbsDischarging != 0:
		return wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	}
	return wire.ChargeStatus_CHARGE_STATUS_CHARGING
}
