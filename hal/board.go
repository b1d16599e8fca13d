package hal

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// openLimit is how long the first look at the hardware may take: a terminal must be ready for a payment soon.
	openLimit = 200 * time.Millisecond
	// maxParts is how many parts are remembered before those that are gone are forgotten: drivers that number a battery
	// anew each time it is put in must not fill the memory.
	maxParts = 32
)

// Names of parts. A battery's own name follows after the slash.
const (
	boardPart     = "board"
	hostPart      = "host"
	batteryPart   = "battery"
	batteryPrefix = batteryPart + "/"
	profileDriver = "profile"
	gaugeDriver   = "gauge" // each gauge is known by its chip
)

// Profile says where the parts of a terminal are.
type Profile struct {
	// Board is the board's name, up to 64 characters. Empty means a board that is not known.
	Board string
	// Unusable means that there is a profile which can't be used: the board is what the kernel tells.
	Unusable bool
	// SysRoot is where sysfs is mounted. Empty means /sys.
	SysRoot string
	// ProcRoot is where procfs is mounted. Empty means /proc.
	ProcRoot string
	// Root is the directory that has etc/resolv.conf and run. Empty means /.
	Root string
	// Addresses returns the addresses of each interface by its name, with the lengths of their prefixes ("192.168.1.20/24").
	// Nil means that the kernel is asked.
	Addresses func() (map[string][]string, error)
	// DataPath is a file or directory on the file system whose space is to be watched. Empty means /.
	DataPath string
	// Batteries are batteries beside those that the kernel lists. They need not be there yet.
	Batteries []Battery

	// Gauges are fuel gauges on I²C buses. One that a driver of the kernel has is left to that.
	Gauges []GaugeAt
	// Tamper is the switch that is active while the case is open, and Dock the one that is active while the terminal is in
	// its dock. Nil means that there is none.
	Tamper, Dock *Pin
	// OpenLine opens the line of a pin, for boards whose lines are not the kernel's. Nil means the kernel's.
	OpenLine func(Pin) (Line, error)

	// Modem is the path of a modem's AT port, ModemAuto or ModemOff. Empty means ModemOff. While ModemManager is on the
	// system bus the modems are its own, and no port is opened.
	Modem string
	// OpenModem opens the modem's port, for modems that are on no tty. Nil means the path of Modem, which is but a name else.
	OpenModem func() (at.Stream, error)
	// ModemBaud is the rate of that port. Zero means 115,200; over USB any will do.
	ModemBaud int
	// ModemProfile is the name of the modem's profile in package cellular. Empty means that the modem is asked.
	ModemProfile string
	// SystemBus is the D-Bus address of the system bus, or NoBus. Empty means where it always is.
	SystemBus string
	// Apps are the applications that Board.Apps reads: up to MaxApps, whose names differ.
	Apps []App
	// DevRoot is where device nodes are. Empty means /dev.
	DevRoot string
}

// Board is the terminal's hardware. It is safe for concurrent use.
type Board struct {
	machine  *machine
	network  *networking
	power    *PowerSupply
	drivers  []batteryDriver
	modems   *modems
	contacts contacts

	mu    sync.Mutex      // guards parts
	parts map[string]Part // by name
}

// Part is one part of the hardware that was looked for, as it was at the last reading.
type Part struct {
	Name   string // "host", "battery/BAT0", or "battery" when there is none; up to 64 characters
	Driver string // "gopsutil", "power_supply", "profile", "gpio", a gauge's chip; empty when there is none
	OK     bool   // whether it could be read
	Detail string // why not, or what is to be known about it; nothing taken from outside
	Raw    string // what the last reading was made from, as the part said it: for a technician, and never recorded
}

// Open returns the board that p describes. It never fails and takes no longer than 200 ms: what is missing is told of in
// Found, and is looked for again at each reading, so that hardware that appears later is picked up.
func Open(p Profile) *Board {
	p.SysRoot = cmp.Or(p.SysRoot, "/sys")
	p.ProcRoot = cmp.Or(p.ProcRoot, "/proc")
	p.DataPath = cmp.Or(p.DataPath, "/")
	p.DevRoot = cmp.Or(p.DevRoot, "/dev")
	power := NewPowerSupply(sysfs(p.SysRoot))
	b := &Board{
		machine: newMachine(p),
		network: newNetwork(p),
		power:   power,
		drivers: []batteryDriver{
			{kernelDriver, power.Batteries},
			{profileDriver, func(context.Context) ([]Battery, error) { return p.Batteries, nil }},
			{gaugeDriver, newGauges(p).list},
		},
		modems:   newModems(p),
		contacts: newContacts(p),
		parts:    make(map[string]Part),
	}
	if p.Unusable {
		b.parts[boardPart] = Part{Name: boardPart, Driver: profileDriver, Detail: "its profile can't be used"}
	} else if p.Board != "" {
		b.parts[boardPart] = Part{Name: boardPart, Driver: profileDriver, OK: true}
	}
	ctx, cancel := context.WithTimeout(context.Background(), openLimit)
	defer cancel()
	b.Host(ctx)
	b.Batteries(ctx)
	b.lookAtModems(ctx, func(m Modem) (*wire.Modem, error) { return nil, ErrGone }) // asking takes longer
	return b
}

// Close lets go of the hardware that is held open: a modem's port and the system bus.
func (b *Board) Close() { b.modems.close() }

// Found returns every part that was looked for, in the order of their names, as it was at its last reading.
func (b *Board) Found() []Part {
	b.mu.Lock()
	parts := maps.Clone(b.parts)
	b.mu.Unlock()
	for name, part := range parts {
		parts[name] = b.nowOf(part)
	}
	for _, part := range b.contactParts() {
		parts[part.Name] = part
	}
	found := make([]Part, 0, len(parts))
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		found = append(found, parts[name])
	}
	return found
}

// Host reads the processor, the memory, the disk and the network. What can't be read is unset; the share of the
// processor is since the last call, by whomever. The caller owns the reading.
func (b *Board) Host(ctx context.Context) *wire.Host {
	reading, missing := b.machine.read(ctx)
	if ctx.Err() != nil {
		return reading
	}
	part := Part{Name: hostPart, Driver: "gopsutil", OK: true}
	if len(missing) > 0 {
		part.Detail = "unknown: " + strings.Join(missing, ", ")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts[part.Name] = part
	return reading
}

// App reads how the process with that id performs, and calls it by that name: at most 64 characters. The error wraps
// ErrGone when there is no such process. The caller owns the reading.
func (b *Board) App(ctx context.Context, name string, pid int) (*wire.AppPerformance, error) {
	return b.machine.application(ctx, name, pid)
}

// Batteries reads every battery that is there now. Those that can't be read are left out, and told of in Found. The caller
// owns the readings.
func (b *Board) Batteries(ctx context.Context) []*wire.Battery {
	return b.lookAtBatteries(ctx, func(battery Battery) (*wire.Battery, error) { return battery.Read(ctx) })
}

// lookAtBatteries lists the batteries, reads them, and keeps what was found.
func (b *Board) lookAtBatteries(ctx context.Context, read func(Battery) (*wire.Battery, error)) []*wire.Battery {
	var readings []*wire.Battery
	now := make(map[string]Part)
	failed := make(map[string]error) // by driver, why it could not look
	for _, d := range b.drivers {
		found, err := d.list(ctx)
		if err != nil {
			failed[d.name] = err
		}
		for _, battery := range found {
			reading, err := read(battery)
			if err == nil {
				if d.name != kernelDriver && reading.ExternalPower == nil {
					reading.ExternalPower = b.power.externalPower(ctx) // the chargers are the kernel's all the same
				}
				readings = append(readings, reading)
			}
			part := partOf(d, battery, err)
			now[part.Name] = part
		}
	}
	if ctx.Err() == nil {
		b.remember(now, failed)
	}
	return readings
}

// partOf returns what is to be told of a battery after an attempt to read it.
func partOf(d batteryDriver, battery Battery, err error) Part {
	part := Part{Name: cleanName(batteryPrefix + battery.Name()), Driver: d.name, OK: err == nil}
	if g, ok := battery.(*Gauge); ok {
		part.Driver = g.chip.name
	}
	if r, ok := battery.(rawer); ok {
		part.Raw = r.Raw()
	}
	if err != nil {
		part.Detail = reason(err)
	} else if n, ok := battery.(noter); ok {
		part.Detail = n.Note()
	}
	return part
}

// reason returns why a part can't be read, in words of this package alone.
func reason(err error) string {
	for _, known := range []error{ErrGone, ErrHung, ErrTaken, ErrUnsteady, ErrDenied} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return ErrUnusable.Error()
}

// remember keeps what was found of the batteries. One that was found earlier and is not in now is gone, or its driver
// failed.
func (b *Board) remember(now map[string]Part, failed map[string]error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, part := range b.parts {
		if !strings.HasPrefix(name, batteryPrefix) {
			continue
		}
		if !part.OK && len(b.parts) > maxParts {
			delete(b.parts, name)
			continue
		}
		part.OK, part.Detail = false, reason(cmp.Or(failed[part.Driver], ErrGone))
		b.parts[name] = part
	}
	maps.Copy(b.parts, now)
	delete(b.parts, batteryPart)
	for name := range b.parts {
		if strings.HasPrefix(name, batteryPrefix) {
			return
		}
	}
	b.parts[batteryPart] = Part{Name: batteryPart, Detail: ErrGone.Error()}
}
