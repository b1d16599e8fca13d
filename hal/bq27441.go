package hal

import (
	"encoding/binary"

	"github.com/stampd/stampd/uplink/wire"
)

// Registers of the BQ27441, and of the BQ27421, BQ27425 and BQ27621, which have the same: TI SLUUAC9, table 4-1. Words are
// little-endian.
const (
	bq27441TEMP  = 0x02 // 0.1 K
	bq27441VOLT  = 0x04 // mV
	bq27441FLAGS = 0x06
	bq27441FCC   = 0x0E // mAh
	bq27441AI    = 0x10 // mA, signed
	bq27441SOC   = 0x1C // %
	bq27441DCAP  = 0x3C // mAh
)

// Bits of its flags: TI SLUUAC9 clause 4.4.
const (
	bq27441OverTemperature  = 1 << 15
	bq27441UnderTemperature = 1 << 14
	bq27441FullCharge       = 1 << 9
	bq27441LowCharge        = 1 << 2 // SOC1
	bq27441Empty            = 1 << 1 // SOCF
)

// bq27xxxGone is the low byte of the flags when nothing answers: more bits than can be set at a time.
const bq27xxxGone = 0xFF

// bq27441Chip counts charge. It knows neither cycles nor times.
var bq27441Chip = GaugeChip{
	name:    "bq27441",
	names:   []string{"bq27441", "bq27421", "bq27425", "bq27621"},
	address: 0x55, order: binary.LittleEndian,
	read: readBQ27441,
}

func readBQ27441(d *device) *wire.Battery {
	flags := d.must(bq27441FLAGS)
	if flags&0xFF == bq27xxxGone {
		d.fail(ErrGone)
	}
	current := int16(d.must(bq27441AI))
	return &wire.Battery{
		Status:                 byCurrent(current, flags&bq27441FullCharge != 0),
		CapacityPercent:        percentOf(int64(d.must(bq27441SOC))),
		VoltageUv:              millivolts(d.must(bq27441VOLT), 1, maxCellVoltage),
		CurrentUa:              milliamperes(int64(current)),
		TemperatureDecicelsius: decikelvin(d.must(bq27441TEMP)),
		ChargeFullUah:          contentOf(d.must(bq27441FCC), 1000),
		ChargeFullDesignUah:    contentOf(d.must(bq27441DCAP), 1000),
		Health:                 bq27441Health(flags),
	}
}

// bq27441Health returns the kernel's word for what the flags say.
func bq27441Health(flags uint16) string {
	switch {
	case flags&bq27441OverTemperature != 0:
		return "Overheat"
	case flags&bq27441UnderTemperature != 0:
		return "Cold"
	case flags&(bq27441LowCharge|bq27441Empty) != 0:
		return "Dead"
	}
	return "Good"
}
