package hal

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
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

	mu        sync.Mutex                // guards all below
	batteries map[string]*kernelBattery // by directory, those that were there at the last listing
	known     []powerSupply             // that were in the class when all of it could be told
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	supplies, known := p.remembered(names)
	if !known {
		if supplies, err = batch(ctx, p.files, supplyLimit, func(do reader[[]byte]) []powerSupply {
			return p.supplies(names, p.getter(do))
		}); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make(map[string]*kernelBattery)
	var list []Battery
	for _, s := range supplies {
		if s.kind != "Battery" || s.others {
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
	dir    string
	kind   string // its attribute "type"
	others bool   // it is of a device that is connected to the terminal, such as a scanner
}

// steady reports whether an entry stays what it is for as long as it is there: the type of a USB port may depend on what is
// plugged in.
func (s powerSupply) steady() bool {
	return s.kind == "Battery" || s.kind == "Mains" || s.kind == "Wireless" || strings.HasPrefix(s.kind, "USB")
}

// names lists the class. It asks no hardware.
func (p *PowerSupply) names() ([]string, error) {
	entries, err := fs.ReadDir(p.sys, powerSupplyClass)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ErrUnusable
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil // sorted
}

// remembered returns what is known of the entries with those names, if all of it is.
func (p *PowerSupply) remembered(names []string) ([]powerSupply, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.EqualFunc(names, p.known, func(name string, s powerSupply) bool { return name == s.dir }) {
		return nil, false
	}
	return p.known, true
}

// supplies tells what the entries with those names are, and remembers it if all of it can be told for good. Entries that
// do not tell are left out.
func (p *PowerSupply) supplies(names []string, get getter) []powerSupply {
	if known, ok := p.remembered(names); ok {
		return known
	}
	var list []powerSupply
	steady := true
	for _, name := range names {
		kind, err := get(name, "type")
		if err != nil {
			steady = false
			continue
		}
		scope, err := get(name, "scope")
		s := powerSupply{dir: name, kind: parseText(kind), others: parseText(scope) == "Device"}
		steady = steady && s.steady() && (err == nil || errors.Is(err, ErrGone))
		list = append(list, s)
	}
	if steady {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.known = list
	}
	return list
}

// externalPower tells whether a charger is connected, as online does; nil when ctx ends.
func (p *PowerSupply) externalPower(ctx context.Context) *bool {
	online, _ := batch(ctx, p.files, supplyLimit, func(do reader[[]byte]) *bool { return p.online(p.getter(do)) })
	return online
}

// online tells whether a charger is connected: true when one is online, false when all of them say that they are not, else
// nil.
func (p *PowerSupply) online(get getter) *bool {
	names, err := p.names()
	if err != nil {
		return nil
	}
	var offline, unknown int
	for _, s := range p.supplies(names, get) {
		if s.others || s.kind != "Mains" && s.kind != "Wireless" && !strings.HasPrefix(s.kind, "USB") {
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
