package hal

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/uplink/wire"
)

// Names of modems' parts and drivers, and what a profile may say of a modem beside its path.
const (
	modemPart     = "modem"
	modemPrefix   = modemPart + "/"
	atDriver      = "at"
	managerDriver = "modemmanager"
	// ModemAuto is the modem of a profile that is to be looked for: ModemManager's, or the first that is known by its USB
	// numbers. What else has a tty is never asked.
	ModemAuto = "auto"
	// ModemOff is the modem of a profile that is to be left alone.
	ModemOff = "off"
	// NoBus is the system bus of a profile that is not to be joined: ModemManager is not asked then.
	NoBus = "off"

	defaultBaud = 115200
	// busTries is how often in a row the bus may fail to tell whether ModemManager is there before its modems are taken
	// for ours.
	busTries = 3
)

// modems are the modems of a board: ModemManager's while it is there, else the one with the AT port of the profile. It is
// safe for concurrent use.
type modems struct {
	profile Profile
	manager *ModemManager // nil when it is not asked
	news    chan struct{} // takes one

	mu     sync.Mutex // guards all below
	at     *ATModem   // nil while the modems are ModemManager's
	failed int        // how often in a row the bus did not tell
	closed bool
}

func newModems(p Profile) *modems {
	m := &modems{profile: p, news: make(chan struct{}, 1)}
	if p.SystemBus != NoBus && !m.off() {
		m.manager = NewModemManager(p.SystemBus, m.managerChanged)
	}
	return m
}

func (m *modems) off() bool { return m.profile.Modem == "" || m.profile.Modem == ModemOff }

// list returns the modems there are and the name of their driver. The port is opened when the modem is not
// ModemManager's, and closed when it is.
func (m *modems) list(ctx context.Context) (list []Modem, driver string, err error) {
	if m.off() {
		return nil, "", nil
	}
	if m.manager != nil {
		present, err := m.manager.Present(ctx)
		if err != nil && m.stillUnknown(ctx) {
			return nil, managerDriver, err
		}
		if present {
			m.release()
			list, err = m.manager.Modems(ctx)
			return list, managerDriver, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = 0
	if m.closed || m.manager != nil && m.manager.Owns() {
		return nil, "", nil
	}
	if m.at == nil {
		m.at = NewATModem(m.atOptions())
	}
	return []Modem{m.at}, atDriver, nil
}

// stillUnknown counts an attempt to ask the bus that failed, and reports whether another is worth while.
func (m *modems) stillUnknown(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed++
	return m.failed < busTries
}

// atOptions returns what the AT modem of the profile is made of.
func (m *modems) atOptions() ATOptions {
	p := m.profile
	baud := cmp.Or(p.ModemBaud, defaultBaud)
	o := ATOptions{Profile: p.ModemProfile, Changed: m.changed}
	if p.Modem != ModemAuto {
		o.Name = cleanName(filepath.Base(p.Modem))
		o.Name = o.Name[:min(len(o.Name), maxText-len(modemPrefix))]
		if o.Open = p.OpenModem; o.Open == nil {
			o.Open = func() (at.Stream, error) { return at.OpenSerial(p.Modem, baud) }
			o.Watch = func() (<-chan struct{}, func(), error) { return at.WatchPath(p.Modem) }
		}
		return o
	}
	port := modemPort{sys: sysfs(p.SysRoot), dev: p.DevRoot}
	o.Name = ModemAuto
	o.Open = func() (at.Stream, error) {
		path, err := port.find()
		if err != nil {
			return nil, err
		}
		return at.OpenSerial(path, baud)
	}
	o.Watch = port.watch
	return o
}

// changed tells that a modem has something to tell.
func (m *modems) changed() {
	select {
	case m.news <- struct{}{}:
	default: // it is known already
	}
}

// managerChanged tells so too, and lets go of the port at once when ModemManager has come.
func (m *modems) managerChanged() {
	if m.manager.Owns() {
		m.release()
	}
	m.changed()
}

// release closes the port.
func (m *modems) release() {
	m.mu.Lock()
	port := m.at
	m.at = nil
	m.mu.Unlock()
	if port != nil {
		port.Close()
	}
}

// close lets go of everything.
func (m *modems) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.release()
	if m.manager != nil {
		m.manager.Close()
	}
}

// state returns whether a modem of our own answers, nil when it does, as it is now.
func (m *modems) state() (err error, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		return nil, false
	}
	return m.at.State(), true
}

// Modems reads every modem that is there now, ModemManager's while it is on the bus, else the profile's. Those that can't be
// read are left out, and told of in Found. The caller owns the readings.
func (b *Board) Modems(ctx context.Context) []*wire.Modem {
	return b.lookAtModems(ctx, func(m Modem) (*wire.Modem, error) { return m.Read(ctx) })
}

// HasModem reports whether the profile has a modem, be it there or not.
func (b *Board) HasModem() bool { return !b.modems.off() }

// ModemNews returns a channel that gets something when a modem tells by itself that its registration or its SIM changed,
// or comes or goes. It is always the same channel.
func (b *Board) ModemNews() <-chan struct{} { return b.modems.news }

// lookAtModems lists the modems, reads them, and keeps what was found.
func (b *Board) lookAtModems(ctx context.Context, read func(Modem) (*wire.Modem, error)) []*wire.Modem {
	list, driver, failed := b.modems.list(ctx)
	var readings []*wire.Modem
	now := make(map[string]Part)
	for _, m := range list {
		reading, err := read(m)
		if reading != nil {
			readings = append(readings, reading)
		}
		part := Part{Name: modemPrefix + m.Name(), Driver: driver, OK: err == nil}
		if err != nil {
			part.Detail = reason(err)
		} else if reading.GetNonsense() != "" {
			part.Detail = "some values can't be, and were left out"
		}
		now[part.Name] = part
	}
	if ctx.Err() == nil && !b.modems.off() {
		b.rememberModems(now, driver, failed)
	}
	return readings
}

// rememberModems keeps what was found of the modems. One that the same driver found earlier and is not in now is gone.
func (b *Board) rememberModems(now map[string]Part, driver string, failed error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	some := len(now) > 0
	for name, part := range b.parts {
		if !strings.HasPrefix(name, modemPart) {
			continue
		}
		if _, still := now[name]; still || part.Driver != driver || name == modemPart || len(b.parts) > maxParts {
			delete(b.parts, name)
			continue
		}
		part.OK, part.Detail = false, reason(cmp.Or(failed, ErrGone))
		b.parts[name] = part
		some = true
	}
	maps.Copy(b.parts, now)
	if !some {
		b.parts[modemPart] = Part{Name: modemPart, Driver: driver, Detail: reason(cmp.Or(failed, ErrGone))}
	}
}

// nowOf returns a part as it is now, where that can be told without asking the hardware.
func (b *Board) nowOf(part Part) Part {
	if part.Driver != atDriver {
		return part
	}
	switch err, known := b.modems.state(); {
	case !known:
	case err != nil:
		part.OK, part.Detail = false, reason(err)
	case !part.OK && part.Detail != ErrUnusable.Error():
		part.OK, part.Detail = true, ""
	}
	return part
}
