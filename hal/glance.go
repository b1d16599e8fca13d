package hal

import (
	"context"
	"errors"
	"fmt"

	"github.com/stampd/stampd/uplink/wire"
)

// glancer is a Battery that can be looked at with less effort than it takes to read it.
type glancer interface {
	// Glance returns of a reading what is to be told at once when it changes: the name, the status, the charge, the health,
	// the temperature and whether a charger is connected. The rest is unset. Its promises are those of Read.
	Glance(ctx context.Context) (*wire.Battery, error)
}

// Glance looks at every battery that is there now, as Batteries does, and leaves what need not be told at once unread where
// that spares effort: on most gauges each value is a transfer on a bus. The caller owns the readings.
func (b *Board) Glance(ctx context.Context) []*wire.Battery {
	return b.lookAtBatteries(ctx, func(battery Battery) (*wire.Battery, error) {
		if g, ok := battery.(glancer); ok {
			return g.Glance(ctx)
		}
		return battery.Read(ctx)
	})
}

// Glance reads the attributes of the state. A battery that has none of them is read.
func (b *kernelBattery) Glance(ctx context.Context) (*wire.Battery, error) {
	found, err := batch(ctx, b.class.files, supplyLimit, func(do reader[[]byte]) kernelReading {
		return b.glance(b.class.getter(do))
	})
	switch {
	case err != nil:
		return nil, err
	case found.err != nil:
		return nil, fmt.Errorf("cannot look at battery %s: %w", b.Name(), found.err)
	case !useful(found.reading):
		return b.Read(ctx)
	}
	return found.reading, nil
}

func (b *kernelBattery) glance(read getter) kernelReading {
	get := attributes(func(name string) []byte {
		content, _ := read(b.dir, name)
		return content
	})
	_, err := read(b.dir, "type")
	if present := get.number("present", 0, 1); errors.Is(err, ErrGone) || present != nil && *present == 0 {
		return kernelReading{err: ErrGone}
	}
	reading := &wire.Battery{
		Name:                   b.Name(),
		Status:                 parseStatus(get("status")),
		CapacityPercent:        convert[uint32](get.capacity()),
		Health:                 parseWord(get("health")),
		TemperatureDecicelsius: convert[int32](get.number("temp", minTemperature, maxTemperature)),
	}
	if useful(reading) {
		reading.ExternalPower = b.class.online(read)
	}
	return kernelReading{reading: reading}
}
