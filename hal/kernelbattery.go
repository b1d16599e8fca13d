package hal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/stampd/stampd/uplink/wire"
)

// kernelBattery is a battery of the class power_supply.
type kernelBattery struct {
	class *PowerSupply
	dir   string

	mu   sync.Mutex // guards all below
	sign sign
	raw  string // see Raw
}

// Name returns the name of its directory, cleaned.
func (b *kernelBattery) Name() string { return cleanName(b.dir) }

// Note tells of a driver whose sign of the current is not used.
func (b *kernelBattery) Note() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sign.distrusted {
		return "sign=inverted"
	}
	return ""
}

// Raw returns the attributes that the last reading got, in the order in which they were read, as the driver wrote them: what the
// values were made from, be they believed or not.
func (b *kernelBattery) Raw() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.raw
}

// Read reads every attribute, one after another: on most gauges each of them is a transfer on the same bus.
func (b *kernelBattery) Read(ctx context.Context) (*wire.Battery, error) {
	found, err := batch(ctx, b.class.files, supplyLimit, func(do reader[[]byte]) kernelReading {
		return b.read(b.class.getter(do))
	})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.raw = strings.Join(found.raw, " ")
	b.mu.Unlock()
	if found.err != nil {
		return nil, fmt.Errorf("cannot read battery %s: %w", b.Name(), found.err)
	}
	reading := found.reading
	b.putRight(reading)
	if !useful(reading) {
		return nil, fmt.Errorf("cannot read battery %s: %w", b.Name(), ErrUnusable)
	}
	return reading, nil
}

// kernelReading is what was read of a battery, the sign of its current as the driver has it.
type kernelReading struct {
	reading *wire.Battery
	raw     []string
	err     error
}

// read reads every attribute, and whether a charger is connected.
func (b *kernelBattery) read(read getter) kernelReading {
	hung := false
	var raw []string
	get := attributes(func(name string) []byte {
		content, err := read(b.dir, name)
		hung = hung || errors.Is(err, ErrHung)
		if err == nil {
			raw = append(raw, name+"="+cleanName(parseText(content)))
		}
		return content
	})
	_, err := read(b.dir, "type")
	if present := get.number("present", 0, 1); errors.Is(err, ErrGone) || present != nil && *present == 0 {
		return kernelReading{raw: raw, err: ErrGone}
	}
	reading := get.battery()
	reading.Name = b.Name()
	if !useful(reading) {
		if hung {
			return kernelReading{raw: raw, err: ErrHung}
		}
		return kernelReading{raw: raw, err: ErrUnusable}
	}
	reading.ExternalPower = b.class.online(read)
	return kernelReading{reading: reading, raw: raw}
}

// putRight corrects the sign of the current, and tells when that is needed.
func (b *kernelBattery) putRight(reading *wire.Battery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reading.CurrentUa = b.sign.apply(reading.Status, reading.CurrentUa)
	if b.sign.distrusted {
		reading.CurrentSignInverted = new(true)
	}
}

// useful tells whether a reading says anything about the state of the battery.
func useful(r *wire.Battery) bool {
	return r.Status != wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED || r.CapacityPercent != nil ||
		r.VoltageUv != nil || r.CurrentUa != nil || r.TemperatureDecicelsius != nil
}

// attributes returns the content of an attribute by its name, or nothing.
type attributes func(name string) []byte

// battery reads what the schema has of a battery. The ranges are the schema's, or narrower where no battery that runs a
// terminal can be.
func (get attributes) battery() *wire.Battery {
	reading := &wire.Battery{
		Status:                 parseStatus(get("status")),
		CapacityPercent:        convert[uint32](get.capacity()),
		VoltageUv:              get.number("voltage_now", minVoltage, maxVoltage),
		CurrentUa:              get.number("current_now", -maxCurrent, maxCurrent),
		TemperatureDecicelsius: convert[int32](get.number("temp", minTemperature, maxTemperature)),
		ChargeFullUah:          get.content("charge_full"),
		ChargeFullDesignUah:    get.content("charge_full_design"),
		EnergyFullUwh:          get.content("energy_full"),
		EnergyFullDesignUwh:    get.content("energy_full_design"),
		Cycles:                 convert[uint32](get.number("cycle_count", 1, 100_000)), // 0 means "not available"
		Health:                 parseWord(get("health")),
		TimeToEmptySeconds:     get.seconds("time_to_empty"),
		TimeToFullSeconds:      get.seconds("time_to_full"),
		Model:                  parseWord(get("model_name")),
	}
	reading.HealthPercent = healthPercent(reading)
	if reading.HealthPercent == nil {
		reading.HealthPercent = convert[uint32](get.number("state_of_health", 0, 110))
	}
	return reading
}

// seconds returns a time that the driver foretells. 0 is what drivers answer that do not: an empty battery reads nothing.
func (get attributes) seconds(name string) *uint32 {
	for _, suffix := range []string{"_now", "_avg"} {
		if n := get.number(name+suffix, 1, 60*(noMinutes-1)); n != nil {
			return convert[uint32](n)
		}
	}
	return nil
}

// capacity returns the charge left in percent. Where the driver does not say, it is what is in the battery now as a
// share of what was in it when full, in µAh or in µWh but never of one in the other: the kernel leaves that to its users.
func (get attributes) capacity() *int64 {
	if percent := get.number("capacity", 0, 100); percent != nil {
		return percent
	}
	for _, unit := range []string{"charge", "energy"} {
		now, full := get.number(unit+"_now", 0, maxContent), get.content(unit+"_full")
		if now != nil && full != nil && *now <= *full {
			return new(*now * 100 / *full)
		}
	}
	return nil
}

// content returns how much a full battery holds, in µAh or µWh.
func (get attributes) content(name string) *int64 { return get.number(name, 1, maxContent) }

// number returns a number from least to most, or nil.
func (get attributes) number(name string, least, most int64) *int64 {
	return parseNumber(get(name), least, most)
}

// convert returns a number that is known to fit, in a narrower type.
func convert[N int32 | uint32](n *int64) *N {
	if n == nil {
		return nil
	}
	return new(N(*n))
}
