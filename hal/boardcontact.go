package hal

import (
	"context"
	"sync"

	"github.com/stampd/stampd/uplink/wire"
)

// Names of the parts that are switches, and of their driver.
const (
	tamperPart = "tamper"
	dockPart   = "dock"
	gpioDriver = "gpio"
)

// contacts are the switches of a board.
type contacts map[wire.ContactKind]*contact

func newContacts(p Profile) contacts {
	open := p.OpenLine
	if open == nil {
		open = func(pin Pin) (Line, error) { return openLine(p.DevRoot, pin) }
	}
	all := make(contacts)
	for kind, pin := range map[wire.ContactKind]*Pin{
		wire.ContactKind_CONTACT_KIND_TAMPER: p.Tamper,
		wire.ContactKind_CONTACT_KIND_DOCK:   p.Dock,
	} {
		if pin != nil {
			all[kind] = newContact(contactPart(kind), pin.Debounce, func() (Line, error) { return open(*pin) })
		}
	}
	return all
}

func contactPart(kind wire.ContactKind) string {
	if kind == wire.ContactKind_CONTACT_KIND_TAMPER {
		return tamperPart
	}
	return dockPart
}

// WatchContacts follows every switch that the profile has until ctx ends. It tells of the first state of each and of each
// that differs from the last, one after the other; changed must return soon. When it returns every line is closed. It may
// run once at a time: nobody else can have the lines.
func (b *Board) WatchContacts(ctx context.Context, changed func(wire.ContactKind, Contact)) {
	var watching sync.WaitGroup
	var telling sync.Mutex
	for kind, c := range b.contacts {
		watching.Go(func() {
			c.watch(ctx, func(state Contact) {
				telling.Lock()
				defer telling.Unlock()
				changed(kind, state)
			})
		})
	}
	watching.Wait()
}

// contactParts returns what is known of the switches.
func (b *Board) contactParts() []Part {
	var parts []Part
	for _, c := range b.contacts {
		part := Part{Name: c.part, Driver: gpioDriver}
		state, watched := c.now()
		switch {
		case !watched:
			part.Detail = "not watched yet"
		case state.Err != nil:
			part.Detail = reason(state.Err)
		default:
			part.OK = true
			part.Detail = contactDetail(c.part, state.Active)
		}
		parts = append(parts, part)
	}
	return parts
}

// contactDetail says in words what a switch says.
func contactDetail(part string, active bool) string {
	words := map[string][2]string{tamperPart: {"closed", "open"}, dockPart: {"not in the dock", "in the dock"}}[part]
	if active {
		return words[1]
	}
	return words[0]
}
