// The board profile: where it is found, and what the settings say over it.

package main

import (
	"cmp"
	"path/filepath"

	"github.com/stampd/stampd/hal"
)

const (
	// boardFile is the profile of this terminal: an image brings it.
	boardFile = "/etc/stampd/board.toml"
	// boardDir holds the profiles of all boards that a package brings.
	boardDir = "/usr/share/stampd/boards"
)

// boardStore returns where board profiles are.
func (c *Config) boardStore() hal.ProfileStore {
	return hal.ProfileStore{File: boardFile, Dir: boardDir, SysRoot: c.Hardware.SysRoot}
}

// profile returns where the hardware is. Without a usable board profile the terminal runs with what the kernel tells.
func (a *agent) profile() hal.Profile {
	h := a.cfg.Hardware
	p, err := a.cfg.boardStore().Load(h.Board)
	if err != nil {
		a.log.Error().Err(err).Msg("board profile can't be used; what the kernel tells of is read")
		p.Unusable = true
	}
	p.SysRoot, p.ProcRoot, p.DataPath = h.SysRoot, h.ProcRoot, filepath.Dir(a.cfg.Queue.Path)
	if h.Modem != hal.ModemAuto || p.Modem == "" {
		p.Modem = h.Modem
	}
	p.ModemBaud = cmp.Or(p.ModemBaud, h.ModemBaud)
	p.ModemProfile = cmp.Or(h.ModemProfile, p.ModemProfile)
	p.SystemBus = h.SystemBus
	for _, text := range a.cfg.Telemetry.Apps {
		if app, err := hal.ParseApp(text); err == nil { // Config.check has said what is wrong with the others
			p.Apps = append(p.Apps, app)
		}
	}
	return p
}
