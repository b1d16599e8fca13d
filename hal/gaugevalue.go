package hal

import "github.com/stampd/stampd/uplink/wire"

// What a battery that runs a terminal can have, in the units of the schema: 0 V is a gauge that does not measure, 3,700 µV a
// driver that counts in millivolts, a full charge of 0 a gauge that has not learned it yet.
const (
	minVoltage     = 1_000_000
	maxVoltage     = 100_000_000
	maxCellVoltage = 6_000_000 // of a gauge for one cell
	maxCurrent     = 100_000_000
	minTemperature = -400
	maxTemperature = 1_250
	maxContent     = 1_000_000_000
)

// kelvinOffset is 0 °C in tenths of a kelvin, as the kernel's drivers have it.
const kelvinOffset = 2731

// allOnes is what a register reads when nobody pulls the bus down, and what gauges answer where they know nothing.
const allOnes = 0xFFFF

// noMinutes is what gauges answer where they foretell no time.
const noMinutes = 65535

// maxSurplus is how much charge in percent a gauge may tell of and mean 100. What is beyond is no charge at all.
const maxSurplus = 200

// within returns a number from least to most, or nil.
func within(n, least, most int64) *int64 {
	if n < least || n > most {
		return nil
	}
	return &n
}

// percentOf returns a charge in percent. Gauges count past 100 while they learn: that is full.
func percentOf(percent int64) *uint32 {
	if within(percent, 0, maxSurplus) == nil {
		return nil
	}
	return new(uint32(min(percent, 100)))
}

// millivolts returns a voltage in microvolts from a register in that many millivolts.
func millivolts(word uint16, unit, most int64) *int64 {
	if word == allOnes {
		return nil
	}
	return within(int64(word)*unit*1000, minVoltage, most)
}

// milliamperes returns a current in microamperes.
func milliamperes(ma int64) *int64 { return within(ma*1000, -maxCurrent, maxCurrent) }

// decikelvin returns a temperature in tenths of a degree Celsius.
func decikelvin(dk uint16) *int32 {
	return convert[int32](within(int64(dk)-kelvinOffset, minTemperature, maxTemperature))
}

// contentOf returns what a full battery holds, in µAh or µWh, from a register in that unit.
func contentOf(word uint16, unit int64) *int64 {
	if word == allOnes {
		return nil
	}
	return within(int64(word)*unit, 1, maxContent)
}

// cyclesOf returns how often a battery was charged.
func cyclesOf(word uint16) *uint32 {
	if word == allOnes {
		return nil
	}
	return new(uint32(word))
}

// secondsOf returns a time that a gauge foretells in minutes.
func secondsOf(minutes uint16) *uint32 {
	if minutes == noMinutes {
		return nil
	}
	return new(60 * uint32(minutes))
}

// byCurrent returns what a battery does as its current tells it, as the kernel does for gauges whose current has a sign.
func byCurrent(ma int16, isFull bool) wire.ChargeStatus {
	switch {
	case ma > 0:
		return wire.ChargeStatus_CHARGE_STATUS_CHARGING
	case ma < 0:
		return wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	case isFull:
		return wire.ChargeStatus_CHARGE_STATUS_FULL
	}
	return wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING
}

// healthPercent returns what a full charge holds now as a share of the design, in percent, or nil: above 110 percent one of
// the two is wrong.
func healthPercent(r *wire.Battery) *uint32 {
	for _, pair := range [][2]*int64{
		{r.ChargeFullUah, r.ChargeFullDesignUah}, {r.EnergyFullUwh, r.EnergyFullDesignUwh},
	} {
		if now, design := pair[0], pair[1]; now != nil && design != nil && *design > 0 {
			return convert[uint32](within(*now*100 / *design, 0, 110))
		}
	}
	return nil
}
