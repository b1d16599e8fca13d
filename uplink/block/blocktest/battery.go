package blocktest

import (
	"math"
	"math/rand/v2"

	"github.com/stampd/stampd/uplink/wire"
)

// battery is one lithium cell behind a BQ27 gauge. Two terminals in five stay on their charger; the others are taken off
// and put back, for half an hour or some hours.
type battery struct {
	carried bool    // whether the terminal is ever taken off its charger
	docked  bool    // on the charger now
	charge  float64 // 0 to 1
	full    float64 // mAh
	cycles  uint32
	current float64 // mA, positive when charging
	ambient float64 // °C
	celsius float64
	idle    float64 // mA drawn when nothing happens
}

const designCharge = 2600 // mAh

func newBattery(rng *rand.Rand) battery {
	b := battery{
		carried: chance(rng, 0.6),
		docked:  chance(rng, 0.4),
		charge:  between(rng, 0.35, 1),
		full:    between(rng, 2100, 2600),
		cycles:  uint32(between(rng, 5, 600)),
		ambient: between(rng, 19, 28),
		idle:    between(rng, 70, 130),
	}
	b.docked = b.docked || !b.carried
	b.celsius = b.ambient + 4
	return b
}

// pass lets time pass.
func (b *battery) pass(rng *rand.Rand, seconds float64, w work) {
	switch {
	case b.docked && b.carried && chance(rng, seconds/3600), b.charge < 0.12 && !b.docked, !b.docked && chance(rng, seconds/7200):
		b.docked = !b.docked
	}
	drawn := normal(rng, b.idle, 2) + 260*float64(w.payments)*between(rng, 0.3, 0.9)
	if w.sync {
		drawn += between(rng, 40, 160)
	}
	switch {
	case !b.docked:
		b.current = -drawn
	case b.charge >= 0.999:
		b.current = 0
	default: // constant current, then constant voltage
		b.current = min(1000, 40+6000*(1-b.charge)) + normal(rng, 0, 6) - 0.3*(drawn-b.idle)
	}
	b.charge = min(1, max(0.05, b.charge+b.current*seconds/3600/b.full))
	target := b.ambient + 4 + math.Abs(b.current)*0.006
	b.celsius += (target-b.celsius)*seconds/900 + normal(rng, 0, 0.03)
	b.ambient += normal(rng, 0, 0.01)
}

func (b *battery) read(rng *rand.Rand) *wire.Battery {
	open := 3.45 + 0.62*b.charge + 0.10*math.Pow(b.charge, 6) - 0.25*math.Exp(-14*b.charge)
	volts := open + b.current/1000*0.11 + normal(rng, 0, 0.0012)
	status := wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	if b.docked {
		status = wire.ChargeStatus_CHARGE_STATUS_CHARGING
		if b.charge >= 0.999 {
			status = wire.ChargeStatus_CHARGE_STATUS_FULL
		}
	}
	return &wire.Battery{
		Name:                   "bq27441-0",
		Status:                 status,
		CapacityPercent:        new(uint32(100 * b.charge)),
		VoltageUv:              new(quantum(1e6*volts, 1000)),
		CurrentUa:              new(quantum(1e3*b.current, 1000)),
		TemperatureDecicelsius: new(int32(math.Round(10 * (b.celsius + normal(rng, 0, 0.04))))),
		ChargeFullUah:          new(quantum(1e3*b.full, 1000)),
		ChargeFullDesignUah:    new(int64(designCharge * 1000)),
		Cycles:                 new(b.cycles),
		Health:                 "Good",
		ExternalPower:          new(b.docked),
	}
}
