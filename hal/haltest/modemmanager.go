package haltest

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Names of ModemManager on the bus, of its D-Bus API reference, version 1.
const (
	managerName       = "org.freedesktop.ModemManager1"
	managerRoot       = dbus.ObjectPath("/org/freedesktop/ModemManager1")
	managerModem      = managerName + ".Modem"
	managerSIM        = managerName + ".Sim"
	managerProperties = "org.freedesktop.DBus.Properties"
	managerObjects    = "org.freedesktop.DBus.ObjectManager"
)

// ModemManager stands in for that service on a real message bus, with at most one modem and its SIM. It is safe for
// concurrent use.
type ModemManager struct {
	conn *dbus.Conn

	mu      sync.Mutex // guards all below
	modem   map[string]map[string]dbus.Variant
	number  int           // of the modem's object
	iccid   string        // of the SIM
	garbled bool          // the properties have other types than they should
	hang    chan struct{} // closed when answers may go on; nil while they may
	rates   []uint32
}

// NewModemManager returns the service, which joins the bus at that address and takes its name there.
func NewModemManager(address string) (*ModemManager, error) {
	conn, err := dbus.Connect(address)
	if err != nil {
		return nil, err
	}
	m := &ModemManager{conn: conn}
	err = errors.Join(
		conn.Export(managerTree{m}, managerRoot, managerObjects),
		conn.ExportSubtree(managerSubtree{m}, managerRoot, managerProperties),
		conn.ExportSubtree(managerSubtree{m}, managerRoot, managerModem+".Signal"),
	)
	if err == nil {
		err = m.Enter()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return m, nil
}

// Enter takes the service's name on the bus.
func (m *ModemManager) Enter() error {
	reply, err := m.conn.RequestName(managerName, dbus.NameFlagDoNotQueue)
	if err == nil && reply != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("%s is taken", managerName)
	}
	return err
}

// Leave gives the name back, as when the service stops.
func (m *ModemManager) Leave() error {
	_, err := m.conn.ReleaseName(managerName)
	return err
}

// Close leaves the bus.
func (m *ModemManager) Close() error {
	m.Hang(false)
	return m.conn.Close()
}

// Plug puts in a modem with those properties, by interface (without "org.freedesktop.ModemManager1.") and name, and a SIM
// with that number. Each modem is another object, as with the real service.
func (m *ModemManager) Plug(properties map[string]map[string]any, iccid string) {
	m.mu.Lock()
	m.number++
	m.iccid = iccid
	m.modem = make(map[string]map[string]dbus.Variant)
	for iface, values := range properties {
		m.modem[managerName+"."+iface] = make(map[string]dbus.Variant)
		for name, value := range values {
			m.modem[managerName+"."+iface][name] = dbus.MakeVariant(value)
		}
	}
	m.modem[managerModem]["Sim"] = dbus.MakeVariant(m.simPath())
	path := m.modemPath()
	m.mu.Unlock()
	_ = m.conn.Emit(managerRoot, managerObjects+".InterfacesAdded", path, map[string]map[string]dbus.Variant{})
}

// Unplug takes the modem out.
func (m *ModemManager) Unplug() {
	m.mu.Lock()
	m.modem = nil
	path := m.modemPath()
	m.mu.Unlock()
	_ = m.conn.Emit(managerRoot, managerObjects+".InterfacesRemoved", path, []string{managerModem})
}

// Register changes the modem's registration, and tells of it.
func (m *ModemManager) Register(state uint32) {
	m.mu.Lock()
	iface := managerModem + ".Modem3gpp"
	m.modem[iface]["RegistrationState"] = dbus.MakeVariant(state)
	path := m.modemPath()
	m.mu.Unlock()
	_ = m.conn.Emit(path, managerProperties+".PropertiesChanged", iface,
		map[string]dbus.Variant{"RegistrationState": dbus.MakeVariant(state)}, []string{})
}

// Hang makes the service answer nothing from now on, or go on.
func (m *ModemManager) Hang(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case on && m.hang == nil:
		m.hang = make(chan struct{})
	case !on && m.hang != nil:
		close(m.hang)
		m.hang = nil
	}
}

// Garble makes the properties have types and values that they never have.
func (m *ModemManager) Garble(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.garbled = on
}

// Rates returns how often the modem's signal was asked to be measured, in seconds, by each who asked.
func (m *ModemManager) Rates() []uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]uint32(nil), m.rates...)
}

func (m *ModemManager) modemPath() dbus.ObjectPath {
	return managerRoot + dbus.ObjectPath(fmt.Sprintf("/Modem/%d", m.number))
}

func (m *ModemManager) simPath() dbus.ObjectPath {
	return managerRoot + dbus.ObjectPath(fmt.Sprintf("/SIM/%d", m.number))
}

// wait waits while the service hangs.
func (m *ModemManager) wait() {
	m.mu.Lock()
	hang := m.hang
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
}

// managerTree is the object at the root.
type managerTree struct{ m *ModemManager }

// GetManagedObjects returns the modem that is there.
func (t managerTree) GetManagedObjects() (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
	t.m.wait()
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	objects := make(map[dbus.ObjectPath]map[string]map[string]dbus.Variant)
	if t.m.modem == nil {
		return objects, nil
	}
	copied := make(map[string]map[string]dbus.Variant)
	for iface, values := range t.m.modem {
		copied[iface] = maps.Clone(values)
		for name := range values {
			if t.m.garbled && name != "PrimaryPort" {
				copied[iface][name] = dbus.MakeVariant([]string{"rubbish"})
			}
		}
	}
	objects[t.m.modemPath()] = copied
	return objects, nil
}

// managerSubtree is the objects below it.
type managerSubtree struct{ m *ModemManager }

// Get returns the number of the SIM, which is all that is asked for.
func (t managerSubtree) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	t.m.wait()
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if iface != managerSIM || name != "SimIdentifier" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	return dbus.MakeVariant(t.m.iccid), nil
}

// Setup sets how often the signal is measured.
func (t managerSubtree) Setup(rate uint32) *dbus.Error {
	t.m.wait()
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.m.rates = append(t.m.rates, rate)
	return nil
}
