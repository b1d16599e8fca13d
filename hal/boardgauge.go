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

// gaugeDrivers returns a driver for each chip: of the gauges that the profile names, and of those that the kernel lists
// and has no driver for.
func gaugeDrivers(p Profile) []batteryDriver {
	sys := sysfs(p.SysRoot)
	var drivers []batteryDriver
	for _, chip := range GaugeChips() {
		var named []placedGauge
		for _, at := range p.Gauges {
			if at.Chip.name == chip.name {
				named = append(named, placeGauge(sys, at))
			}
		}
		listed := &listedGauges{sys: sys, chip: chip, known: make(map[string]placedGauge), named: named}
		drivers = append(drivers, batteryDriver{chip.name, listed.list})
	}
	return drivers
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

// listedGauges are the gauges of one chip: those of the profile, and those that the kernel knows of, from the device tree or
// ACPI, and has no driver for. No bus is searched: what has the address may be something else, and to ask is to write.
type listedGauges struct {
	sys   fs.FS
	chip  GaugeChip
	named []placedGauge

	mu    sync.Mutex             // guards known
	known map[string]placedGauge // by their directory, those that were listed at the last call
}

// list returns the gauges that the kernel's drivers do not have.
func (l *listedGauges) list(context.Context) ([]Battery, error) {
	var list []Battery
	taken := make(map[string]bool)
	for _, g := range l.named {
		if driven(l.sys, g.bus, g.address) {
			continue
		}
		if number, err := i2cNumber(l.sys, g.bus); err == nil {
			taken[i2cDirectory(number, g.address)] = true
		}
		list = append(list, g.Gauge)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := make(map[string]placedGauge)
	for _, dir := range l.directories() {
		bus, address, ok := parseDirectory(dir)
		if !ok || taken[dir] || driven(l.sys, bus, address) {
			continue
		}
		g, known := l.known[dir]
		if !known {
			g = placeGauge(l.sys, GaugeAt{Chip: l.chip, Bus: bus, Address: address})
		}
		now[dir] = g
		list = append(list, g.Gauge)
	}
	l.known = now
	return list, nil
}

// directories returns what the kernel lists under a name of the chip.
func (l *listedGauges) directories() []string {
	entries, err := fs.ReadDir(l.sys, i2cDevices)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "i2c-") {
			continue
		}
		name, err := fs.ReadFile(l.sys, path.Join(i2cDevices, e.Name(), "name"))
		if err == nil && l.chip.called(parseText(name)) {
			found = append(found, e.Name())
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
