package hal

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// GaugeAt says where a fuel gauge is.
type GaugeAt struct {
	// Name is what its battery is called. Empty means a name made of chip, bus and address.
	Name string
	Chip GaugeChip
	// Bus is the bus's device ("/dev/i2c-1"), or the name of its adapter as in /sys/bus/i2c/devices/i2c-1/name.
	Bus string
	// Address is the chip's address of 7 bits. Zero means the one that it has from the factory.
	Address uint16
}

// gauges are the gauges of a board: those that its profile names, and those that the kernel knows of, from the device tree or ACPI,
// and has no driver for. No bus is searched: what has the address may be something else, and to ask is to write.
type gauges struct {
	sys   fs.FS
	named []placedGauge

	mu    sync.Mutex             // guards known
	known map[string]placedGauge // by their directory, those that were listed at the last call
}

func newGauges(p Profile) *gauges {
	g := &gauges{sys: sysfs(p.SysRoot), known: make(map[string]placedGauge)}
	for _, at := range p.Gauges {
		g.named = append(g.named, placeGauge(g.sys, at))
	}
	return g
}

// placedGauge is a gauge and its place.
type placedGauge struct {
	*Gauge
	bus string
}

func placeGauge(sys fs.FS, at GaugeAt) placedGauge {
	if at.Address == 0 {
		at.Address = at.Chip.address
	}
	if at.Name == "" {
		at.Name = fmt.Sprintf("%s@%s-%02x", at.Chip.name, path.Base(at.Bus), at.Address)
	}
	return placedGauge{NewGauge(at.Name, at.Chip, at.Address, i2cOpener(sys, at.Bus)), at.Bus}
}

// list returns the gauges that the kernel's drivers do not have.
func (g *gauges) list(context.Context) ([]Battery, error) {
	var list []Battery
	taken := make(map[string]bool)
	for _, named := range g.named {
		if driven(g.sys, named.bus, named.address) {
			continue
		}
		if number, err := i2cNumber(g.sys, named.bus); err == nil {
			taken[i2cDirectory(number, named.address)] = true
		}
		list = append(list, named.Gauge)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := make(map[string]placedGauge)
	for _, at := range g.listed() {
		dir := at.Name
		if taken[dir] || driven(g.sys, at.Bus, at.Address) {
			continue
		}
		listed, known := g.known[dir]
		if !known {
			at.Name = ""
			listed = placeGauge(g.sys, at)
		}
		now[dir] = listed
		list = append(list, listed.Gauge)
	}
	g.known = now
	return list, nil
}

// listed returns what the kernel lists under the name of a chip. Each is called by its directory.
func (g *gauges) listed() []GaugeAt {
	entries, err := fs.ReadDir(g.sys, i2cDevices)
	if err != nil {
		return nil
	}
	var found []GaugeAt
	for _, e := range entries {
		bus, address, ok := parseDirectory(e.Name())
		if !ok {
			continue
		}
		name, err := fs.ReadFile(g.sys, path.Join(i2cDevices, e.Name(), "name"))
		if err != nil {
			continue
		}
		for _, chip := range GaugeChips() {
			if chip.called(parseText(name)) {
				found = append(found, GaugeAt{Name: e.Name(), Chip: chip, Bus: bus, Address: address})
			}
		}
	}
	return found
}

// called tells whether the kernel's name for a device is one of the chip's.
func (c GaugeChip) called(name string) bool { return slices.Contains(c.names, name) }

// i2cDirectory returns the kernel's name for a device on a bus ("1-0055").
func i2cDirectory(bus int, address uint16) string { return fmt.Sprintf("%d-%04x", bus, address) }

// parseDirectory returns the bus and the address of such a name.
func parseDirectory(dir string) (bus string, address uint16, ok bool) {
	number, hex, ok := strings.Cut(dir, "-")
	n, err := strconv.ParseUint(hex, 16, 7)
	if _, bad := strconv.Atoi(number); !ok || err != nil || bad != nil {
		return "", 0, false
	}
	return "/dev/i2c-" + number, uint16(n), true
}
