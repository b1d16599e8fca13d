package hal

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// kernelDriver is what a [Part] is called that the kernel's drivers read.
	kernelDriver = "power_supply"
	// powerSupplyClass is where the kernel lists batteries and chargers, under the root of sysfs.
	powerSupplyClass = "class/power_supply"
	// attributeLimit is how long one attribute may take. An I²C adapter gives up on its own after about a second.
	attributeLimit = time.Second
	// supplyLimit is how long it may take to look at the class, or to read a battery: less than its attributes may take one
	// after another.
	supplyLimit = 3 * time.Second
)

// PowerSupply is the driver for what the kernel lists in /sys/class/power_supply. It is safe for concurrent use.
//
// Source: Documentation/power/power_supply_class.rst and Documentation/ABI/testing/sysfs-class-power.
type PowerSupply struct {
	sys   fs.FS
	files *bounded[[]byte]

	mu        sync.Mutex                // guards batteries
	batteries map[string]*kernelBattery // by directory, those that were there at the last listing
}

// NewPowerSupply returns the driver for the sysfs that sys is the root of. Nothing needs to be there yet.
func NewPowerSupply(sys fs.FS) *PowerSupply {
	return &PowerSupply{
		sys:       sys,
		files:     newBounded[[]byte](attributeLimit),
		batteries: make(map[string]*kernelBattery),
	}
}

// Batteries returns the batteries that are there now, in the order of their names; a battery that was there at the last
// call is the same value again. Batteries of devices that are connected to the terminal, such as a scanner, are left out.
// A kernel without the class has no batteries, which is no error.
func (p *PowerSupply) Batteries(ctx context.Context) ([]Battery, error) {
	found, err := batch(ctx, p.files, supplyLimit, func(do reader[[]byte]) (found listing) {
		found.supplies, found.err = p.supplies(p.getter(do))
		return found
	})
	if err = cmp.Or(err, found.err); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make(map[string]*kernelBattery)
	var list []Battery
	for _, s := range found.supplies {
		if s.kind != "Battery" {
			continue
		}
		now[s.dir] = cmp.Or(p.batteries[s.dir], &kernelBattery{class: p, dir: s.dir})
		list = append(list, now[s.dir])
	}
	p.batteries = now
	return list, nil
}

// powerSupply is one entry of the class.
type powerSupply struct {
	dir  string
	kind string // its attribute "type"
}

// listing is what the class has.
type listing struct {
	supplies []powerSupply
	err      error
}

// supplies lists the class, without the supplies of other devices.
func (p *PowerSupply) supplies(get getter) ([]powerSupply, error) {
	entries, err := fs.ReadDir(p.sys, powerSupplyClass)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ErrUnusable
	}
	var list []powerSupply
	for _, e := range entries {
		kind, err := get(e.Name(), "type")
		if err != nil {
			continue
		}
		scope, _ := get(e.Name(), "scope")
		if parseText(scope) != "Device" {
			list = append(list, powerSupply{dir: e.Name(), kind: parseText(kind)})
		}
	}
	return list, nil
}

// externalPower tells whether a charger is connected, as online does; nil when ctx ends.
func (p *PowerSupply) externalPower(ctx context.Context) *bool {
	online, _ := batch(ctx, p.files, supplyLimit, func(do reader[[]byte]) *bool { return p.online(p.getter(do)) })
	return online
}

// online tells whether a charger is connected: true when one is online, false when all of them say that they are not, else
// nil.
func (p *PowerSupply) online(get getter) *bool {
	supplies, err := p.supplies(get)
	if err != nil {
		return nil
	}
	var offline, unknown int
	for _, s := range supplies {
		if s.kind != "Mains" && s.kind != "Wireless" && !strings.HasPrefix(s.kind, "USB") {
			continue
		}
		content, _ := get(s.dir, "online")
		switch online := parseNumber(content, 0, 2); { // 2 is "online, programmable"
		case online == nil:
			unknown++
		case *online == 0:
			offline++
		default:
			return new(true)
		}
	}
	if offline == 0 || unknown > 0 {
		return nil
	}
	return new(false)
}

// getter returns the content of one attribute of one supply. The error is ErrHung, ErrGone when the supply has no such
// attribute or is no longer there, or the driver's own.
type getter func(dir, attribute string) ([]byte, error)

// getter returns what reads attributes as a part of a batch.
func (p *PowerSupply) getter(do reader[[]byte]) getter {
	return func(dir, attribute string) ([]byte, error) {
		name := path.Join(powerSupplyClass, dir, attribute)
		content, err := do(name, func() ([]byte, error) { return fs.ReadFile(p.sys, name) })
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			return nil, ErrGone
		}
		return content, err
	}
}
