package hal

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"periph.io/x/conn/v3/i2c"

	"github.com/stampd/stampd/uplink/wire"
)

// gaugeLimit is how long a whole reading of a gauge may take. An I²C adapter gives up on its own after about a second.
const gaugeLimit = 3 * time.Second

// GaugeChip is a kind of fuel gauge: where it is on the bus, and what its registers mean.
type GaugeChip struct {
	name    string           // a board profile's
	names   []string         // the kernel's, as in /sys/bus/i2c/devices/1-0055/name
	address uint16           // the one that it has from the factory
	order   binary.ByteOrder // of a word on the bus
	read    func(*device) *wire.Battery
}

// GaugeChips returns every chip that there is a driver for.
func GaugeChips() []GaugeChip {
	return []GaugeChip{sbsChip, max17048Chip, bq27441Chip, bq27z561Chip}
}

// ChipNamed returns the chip that a board profile calls by that name, and whether there is one.
func ChipNamed(name string) (GaugeChip, bool) {
	chips := GaugeChips()
	at := slices.IndexFunc(chips, func(c GaugeChip) bool { return c.name == name })
	if at < 0 {
		return GaugeChip{}, false
	}
	return chips[at], true
}

// Name returns what a board profile calls the chip.
func (c GaugeChip) Name() string { return c.name }

// Gauge is a [Battery] by a fuel gauge on an I²C bus. It reads registers and writes none: on the bus it puts nothing but the
// numbers of the registers to be read. That matters: reading the checksum of a BQ27xxx after a write, for one, "may cause
// NVM corruption" (Linux, drivers/power/supply/bq27xxx_battery.c).
type Gauge struct {
	name    string
	chip    GaugeChip
	address uint16
	open    func() (i2c.BusCloser, error)
	reads   *bounded[*wire.Battery]

	device device // touched only by a read on its way, of which there is never more than one

	mu  sync.Mutex // guards raw
	raw []word
}

// NewGauge returns the battery behind a chip, with a name of 1 to 64 characters. The address is the chip's own when it is
// 0. The bus is opened for each reading and closed after it, so that an adapter may be unplugged and come back.
func NewGauge(name string, chip GaugeChip, address uint16, open func() (i2c.BusCloser, error)) *Gauge {
	if address == 0 {
		address = chip.address
	}
	return &Gauge{
		name: cleanName(name), chip: chip, address: address, open: open,
		reads: newBounded[*wire.Battery](gaugeLimit),
	}
}

// Name returns the name that the gauge was made with.
func (g *Gauge) Name() string { return g.name }

// Raw returns the registers that the last reading got, in the order in which they were read, as pairs of hexadecimal numbers:
// what the decoded values were made from.
func (g *Gauge) Raw() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var text strings.Builder
	for i, w := range g.raw {
		if i > 0 {
			text.WriteByte(' ')
		}
		fmt.Fprintf(&text, "%02x=%04x", w.register, w.value)
	}
	return text.String()
}

// Read reads the registers of the chip one after another.
func (g *Gauge) Read(ctx context.Context) (*wire.Battery, error) {
	shared, err := g.reads.do(ctx, g.name, g.readOnce)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read battery %s: %w", g.name, err)
	}
	return proto.CloneOf(shared), nil
}

// readOnce opens the bus, reads the chip and closes the bus.
func (g *Gauge) readOnce() (*wire.Battery, error) {
	bus, err := g.open()
	if err != nil {
		g.device.forget()
		return nil, busError(err)
	}
	defer func() { _ = bus.Close() }() // nothing was written
	g.device.begin(bus, g.address, g.chip.order)
	reading := g.chip.read(&g.device)
	g.mu.Lock()
	g.raw = slices.Clone(g.device.words)
	g.mu.Unlock()
	if err := g.device.err; err != nil {
		g.device.forget()
		return nil, err
	}
	if reading.VoltageUv == nil { // whatever else it says, it does not measure
		return nil, ErrUnusable
	}
	if reading.Status == wire.ChargeStatus_CHARGE_STATUS_DISCHARGING && reading.GetCurrentUa() > 0 {
		reading.CurrentUa = nil // one of the two is late
	}
	reading.Name = g.name
	reading.HealthPercent = healthPercent(reading)
	return reading, nil
}
