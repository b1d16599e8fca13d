package hal

import (
	"encoding/binary"

	"github.com/stampd/stampd/uplink/wire"
)

// Registers of the BQ27Z561, and of the BQ28Z610, which has the same: TI SLUUBO7, chapter 12. Words are little-endian.
const (
	bq27z561TEMP  = 0x06 // 0.1 K
	bq27z561VOLT  = 0x08 // mV
	bq27z561FLAGS = 0x0A
	bq27z561FCC   = 0x12 // mAh
	bq27z561AI    = 0x14 // mA, signed
	bq27z561TTE   = 0x16 // minutes
	bq27z561TTF   = 0x18 // minutes
	bq27z561CYCT  = 0x2A
	bq27z561SOC   = 0x2C // %
	bq27z561DCAP  = 0x3C // mAh
)

// Bits of its flags, which are not those of the BQ27441: TI SLUUBO7, BatteryStatus.
const (
	bq27z561FullyDischarged = 1 << 4
	bq27z561FullyCharged    = 1 << 5
)

// bq27z561Chip counts charge and cycles.
var bq27z561Chip = GaugeChip{
	name:    "bq27z561",
	names:   []string{"bq27z561", "bq28z610"},
	address: 0x55, order: binary.LittleEndian,
	read: readBQ27Z561,
}

func readBQ27Z561(d *device) *wire.Battery {
	flags := d.must(bq27z561FLAGS)
	if flags&0xFF == bq27xxxGone {
		d.fail(ErrGone)
	}
	current := int16(d.must(bq27z561AI))
	health := "Good"
	if flags&bq27z561FullyDischarged != 0 {
		health = "Dead"
	}
	return &wire.Battery{
		Status:                 byCurrent(current, flags&bq27z561FullyCharged != 0),
		CapacityPercent:        percentOf(int64(d.must(bq27z561SOC))),
		VoltageUv:              millivolts(d.must(bq27z561VOLT), 1, maxCellVoltage),
		CurrentUa:              milliamperes(int64(current)),
		TemperatureDecicelsius: decikelvin(d.must(bq27z561TEMP)),
		ChargeFullUah:          contentOf(d.must(bq27z561FCC), 1000),
		ChargeFullDesignUah:    contentOf(d.must(bq27z561DCAP), 1000),
		Cycles:                 cyclesOf(d.must(bq27z561CYCT)),
		TimeToEmptySeconds:     secondsOf(d.must(bq27z561TTE)),
		TimeToFullSeconds:      secondsOf(d.must(bq27z561TTF)),
		Health:                 health,
	}
}
