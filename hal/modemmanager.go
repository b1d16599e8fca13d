package hal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/stampd/stampd/uplink/wire"
)

// Names of ModemManager on the bus, of its D-Bus API reference, version 1.
const (
	mmName        = "org.freedesktop.ModemManager1"
	mmPath        = "/org/freedesktop/ModemManager1"
	mmModem       = mmName + ".Modem"
	mm3GPP        = mmModem + ".Modem3gpp"
	mmSignal      = mmModem + ".Signal"
	mmSIM         = mmName + ".Sim"
	busObjects    = "org.freedesktop.DBus.ObjectManager"
	busProperties = "org.freedesktop.DBus.Properties"
)

// mmSignalEvery is how often ModemManager is asked to measure the signal, in seconds.
const mmSignalEvery = 30

// mmGrace is how long ModemManager has to start on a machine where it is installed, before its modems are taken for ours.
const mmGrace = 30 * time.Second

// properties are the properties of an object, by interface and name.
type properties map[string]map[string]dbus.Variant

// ModemManager is the driver for modems that ModemManager has: it asks that service over the system bus, and opens no
// port. It is safe for concurrent use.
type ModemManager struct {
	address string
	changed func()
	limit   time.Duration // how long a call may take

	joining sync.Mutex // held while the bus is joined

	mu       sync.Mutex // guards all below
	conn     *dbus.Conn // nil while the bus is not joined
	owned    bool       // the service is on the bus
	since    time.Time  // when the service was first looked for
	expected bool       // the service is installed: the bus can start it
	measured map[dbus.ObjectPath]bool
	sims     map[dbus.ObjectPath]string // ICCID, by SIM
	done     []chan struct{}            // closed when a listener has ended
}

// NewModemManager returns the driver for the service on the bus at that address of the D-Bus specification; empty means
// the system bus. Neither needs to be there yet. changed is told when the service comes or goes, and when the
// registration of one of its modems changes; it must return soon.
func NewModemManager(address string, changed func()) *ModemManager {
	if changed == nil {
		changed = func() {}
	}
	return &ModemManager{
		address:  address,
		changed:  changed,
		limit:    busLimit,
		measured: make(map[dbus.ObjectPath]bool),
		sims:     make(map[dbus.ObjectPath]string),
	}
}

// Present reports whether the modems of this machine are ModemManager's: it is on the bus, or is about to be, because it
// is installed and the machine has just started. An error means that it is not known.
func (mm *ModemManager) Present(ctx context.Context) (bool, error) {
	if _, err := mm.join(ctx); err != nil {
		if errors.Is(err, errNoBus) {
			return false, nil
		}
		return false, err
	}
	mm.mu.Lock()
	defer mm.mu.Unlock()
	return mm.owned || mm.expected && time.Since(mm.since) < mmGrace, nil
}

// Owns reports whether ModemManager was on the bus when the bus last told.
func (mm *ModemManager) Owns() bool {
	mm.mu.Lock()
	defer mm.mu.Unlock()
	return mm.owned
}

// Modems returns the modems that are there now, in the order of their names.
func (mm *ModemManager) Modems(ctx context.Context) ([]Modem, error) {
	objects, err := mm.objects(ctx)
	if err != nil {
		return nil, err
	}
	var list []Modem
	for _, path := range slices.Sorted(maps.Keys(objects)) {
		if name := mmNameOf(objects[path]); name != "" {
			list = append(list, &managedModem{mm: mm, name: name})
		}
	}
	return list, nil
}

// Close leaves the bus.
func (mm *ModemManager) Close() {
	mm.mu.Lock()
	conn, done := mm.conn, mm.done
	mm.conn, mm.owned, mm.done = nil, false, nil
	mm.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	for _, d := range done {
		<-d
	}
}

// join returns the connection to the bus, and makes it if there is none.
func (mm *ModemManager) join(ctx context.Context) (*dbus.Conn, error) {
	mm.joining.Lock()
	defer mm.joining.Unlock()
	mm.mu.Lock()
	conn := mm.conn
	if mm.since.IsZero() {
		mm.since = time.Now()
	}
	mm.mu.Unlock()
	if conn != nil && conn.Connected() {
		return conn, nil
	}
	address := mm.address
	if address == "" {
		address = systemBusAddress()
	}
	conn, signals, err := joinBus(ctx, address)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, busLimit)
	defer cancel()
	owned, expected, err := mm.look(within, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	done := make(chan struct{})
	mm.mu.Lock()
	mm.conn, mm.owned, mm.expected = conn, owned, expected
	mm.done = append(mm.done[:0:0], done)
	mm.mu.Unlock()
	go func() {
		defer close(done)
		mm.listen(conn, signals)
	}()
	return conn, nil
}

// look asks for what is to be told, and whether the service is there.
func (mm *ModemManager) look(ctx context.Context, conn *dbus.Conn) (owned, expected bool, err error) {
	for _, options := range [][]dbus.MatchOption{
		{
			dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"),
			dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchArg(0, mmName),
		},
		{
			dbus.WithMatchSender(mmName), dbus.WithMatchInterface(busProperties), dbus.WithMatchMember("PropertiesChanged"),
			dbus.WithMatchArg(0, mm3GPP),
		},
		{dbus.WithMatchSender(mmName), dbus.WithMatchInterface(busObjects), dbus.WithMatchObjectPath(mmPath)},
	} {
		if err := conn.AddMatchSignalContext(ctx, options...); err != nil {
			return false, false, err
		}
	}
	bus := conn.BusObject()
	if err := bus.CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, mmName).Store(&owned); err != nil {
		return false, false, err
	}
	var startable []string
	if err := bus.CallWithContext(ctx, "org.freedesktop.DBus.ListActivatableNames", 0).Store(&startable); err != nil {
		return false, false, err
	}
	return owned, slices.Contains(startable, mmName), nil
}

// listen takes in what the bus sends, until the connection ends.
func (mm *ModemManager) listen(conn *dbus.Conn, signals <-chan *dbus.Signal) {
	for s := range signals {
		switch {
		case s.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(s.Body) == 3:
			owner, _ := s.Body[2].(string)
			mm.mu.Lock()
			mm.owned = owner != ""
			mm.forget()
			mm.mu.Unlock()
		case s.Name == busObjects+".InterfacesRemoved": // the next modem has another path, and this one is not used again
			mm.mu.Lock()
			mm.forget()
			mm.mu.Unlock()
		case s.Name == busProperties+".PropertiesChanged" && !tellsRegistration(s):
			continue
		}
		mm.changed()
	}
	mm.mu.Lock()
	if mm.conn == conn {
		mm.conn, mm.owned = nil, false
	}
	mm.mu.Unlock()
	mm.changed()
}

// forget forgets what is known by path. mm.mu must be held.
func (mm *ModemManager) forget() {
	clear(mm.measured)
	clear(mm.sims)
}

// tellsRegistration reports whether changed properties have the registration among them.
func tellsRegistration(s *dbus.Signal) bool {
	if len(s.Body) < 2 {
		return false
	}
	changed, ok := s.Body[1].(map[string]dbus.Variant)
	_, found := changed["RegistrationState"]
	return ok && found
}

// objects returns the modems and their properties.
func (mm *ModemManager) objects(ctx context.Context) (map[dbus.ObjectPath]properties, error) {
	var objects map[dbus.ObjectPath]properties
	err := mm.call(ctx, mmPath, busObjects+".GetManagedObjects", &objects)
	return objects, err
}

// call calls a method of the service, within its limit, and stores what it returns.
func (mm *ModemManager) call(ctx context.Context, path dbus.ObjectPath, method string, result any, args ...any) error {
	conn, err := mm.join(ctx)
	if err != nil {
		return mmError(ctx, err)
	}
	mm.mu.Lock()
	owned := mm.owned
	mm.mu.Unlock()
	if !owned {
		return fmt.Errorf("cannot ask ModemManager: %w", ErrGone)
	}
	within, cancel := context.WithTimeout(ctx, mm.limit)
	defer cancel()
	// Without a start: on a machine where somebody stopped the service it stays so.
	done := conn.Object(mmName, path).CallWithContext(within, method, dbus.FlagNoAutoStart, args...)
	if result != nil && done.Err == nil {
		done.Err = done.Store(result)
	}
	return mmError(ctx, done.Err)
}

// mmError returns the error of this package for one of a call.
func mmError(ctx context.Context, err error) error {
	var refused dbus.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("cannot ask ModemManager: %w", ErrHung)
	case errors.Is(err, errNoBus), errors.Is(err, dbus.ErrClosed):
		return fmt.Errorf("cannot ask ModemManager: %w", ErrGone)
	case errors.As(err, &refused) && goneOnBus(refused.Name):
		return fmt.Errorf("cannot ask ModemManager: %w", ErrGone)
	}
	return fmt.Errorf("cannot ask ModemManager: %w", ErrUnusable)
}

// goneOnBus reports whether an error of the bus says that the service or the object is not there.
func goneOnBus(name string) bool {
	switch name {
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.DBus.Error.NoReply",
		"org.freedesktop.DBus.Error.Disconnected":
		return true
	}
	return false
}

// managedModem is one of ModemManager's modems, by the name of its port: the number of its object is another each time
// that it is plugged in.
type managedModem struct {
	mm   *ModemManager
	name string
}

// Name returns the name of its primary port.
func (m *managedModem) Name() string { return m.name }

// Read returns what ModemManager says of the modem.
func (m *managedModem) Read(ctx context.Context) (*wire.Modem, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	objects, err := m.mm.objects(ctx)
	if err != nil {
		return nil, err
	}
	for path, p := range objects {
		if mmNameOf(p) != m.name {
			continue
		}
		reading := m.reading(ctx, path, p)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !usefulModem(reading) {
			return nil, fmt.Errorf("cannot read modem %s: %w", m.name, ErrUnusable)
		}
		return reading, nil
	}
	return nil, fmt.Errorf("cannot read modem %s: %w", m.name, ErrGone)
}

// mmNameOf returns the name of the primary port of a modem, or nothing when an object is no modem.
func mmNameOf(p properties) string {
	name := property[string](p, mmModem, "PrimaryPort")
	if name == nil {
		return ""
	}
	return strings.TrimSpace(cleanName(*name)[:min(len(*name), maxText-len(modemPrefix))])
}
