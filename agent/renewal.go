package main

import (
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/est"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
	"github.com/stampd/stampd/uplink/wire"
)

// newRenewer returns what keeps the terminal's certificate fresh. The settings were checked.
func (a *agent) newRenewer(own identity.ID) *est.Renewer {
	var server est.Address
	if a.cfg.Uplink.EST != "" {
		server, _ = est.ParseAddress(a.cfg.Uplink.EST)
	}
	return est.NewRenewer(est.RenewerOptions{
		Files:    keypair.Files{Cert: a.cfg.Uplink.Cert, Key: a.cfg.Uplink.Key},
		Identity: own,
		Server:   server,
		CA:       a.cfg.Uplink.CA,
		Clock:    func() (time.Time, bool) { return bestTime(a.clock) },
		Audit:    a.audit,
		Log:      a.log.With().Str("part", "certificate").Logger(),
	})
}

// bestTime returns the backend's time, or while that is not known the wall clock's, if somebody ever set it.
func bestTime(clock *hal.Clock) (now time.Time, known bool) {
	if now, _, known := clock.ServerTime(); known {
		return now, true
	}
	if clock.Now().GetConfidence() == wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET {
		return time.Time{}, false
	}
	return clock.Wall(), true
}
