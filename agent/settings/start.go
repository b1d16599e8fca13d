package settings

import (
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// Why settings are given up, as Audit.found tells it.
const (
	crashing   = "did not stay up" // the agent was started with them MaxStarts times
	startless  = "did not start"   // the agent could not start with them
	offline    = "did not get online"
	technician = "technician" // a person took them back
)

// Begin returns what the agent is to run with from now on, and opens a new [Store.Changed]. The start of a trial is on disk
// when it returns; a trial whose start can't be counted, that has been started too often or that does not go with the
// config file any more, is none.
func (s *Store) Begin() Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = make(chan struct{})
	s.running = s.tryTrial()
	if s.running.Number != 0 {
		return s.running
	}
	s.running = s.fitKept()
	return s.running
}

// tryTrial returns what is on trial, or nothing. The caller holds mu.
func (s *Store) tryTrial() Version {
	t := s.state.Trial
	if t == nil {
		return Version{}
	}
	if _, faults := s.judge(t.TOML); len(faults) > 0 {
		s.giveUp(string(Invalid))
		return Version{}
	}
	if t.Starts >= MaxStarts {
		s.giveUp(crashing)
		return Version{}
	}
	next := s.state.clone()
	next.Trial.Starts++
	if err := s.save(next); err != nil {
		s.Log.Error().Err(err).Uint32("version", t.Number).Msg("start with new settings can't be counted; the agent starts with those before them")
		return Version{}
	}
	return t.Version
}

// fitKept returns what was kept, when it goes with the config file. The caller holds mu.
func (s *Store) fitKept() Version {
	kept := s.state.Kept
	if kept.Number == 0 {
		return Version{}
	}
	keys, faults := s.judge(kept.TOML)
	unfit := len(faults) > 0
	if unfit != s.state.Unfit {
		next := s.state.clone()
		next.Unfit = unfit
		if unfit {
			next.add(refusal(kept.Number, faults))
		} else {
			next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_APPLIED, Number: kept.Number, Subject: strings.Join(keys, ",")})
		}
		s.keep(next)
	}
	if unfit {
		s.Log.Error().Uint32("version", kept.Number).Msg("settings of the backend do not go with the config file; it decides alone")
		return Version{}
	}
	return kept
}

// Failed tells the store that the agent could not run with what Begin returned, and reports whether it is worth another
// try: Begin then returns what was before.
func (s *Store) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Trial == nil || s.running.Number != s.state.Trial.Number {
		return false
	}
	return s.giveUp(startless)
}

// giveUp takes what was before a trial back, and has that told. It returns false when there is no trial. The caller holds mu.
func (s *Store) giveUp(why string) bool {
	t := s.state.Trial
	if t == nil {
		return false
	}
	keys, _ := s.judge(t.TOML)
	s.Log.Error().Uint32("version", t.Number).Str("reason", why).Msg("settings of the backend are given up; those before them are back")
	next := s.state.clone()
	next.Trial, next.Refused = nil, t.Number
	next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_ROLLED_BACK, Number: t.Number, Subject: strings.Join(keys, ","), Found: why})
	s.keep(next)
	return true
}

// keep puts a state into force whether or not it gets onto the disk: what has gone wrong is not tried again in this
// process. The caller holds mu.
func (s *Store) keep(next state) {
	if err := s.save(next); err != nil {
		s.Log.Error().Err(err).Msg("settings of the backend can't be kept on disk")
		s.state = next
	}
	s.wake()
}

// judge asks the judge. What makes it fail is malformed: nothing that is on disk or comes down the stream keeps the agent
// from running.
func (s *Store) judge(toml string) (keys []string, faults []Fault) {
	defer func() {
		if recover() != nil {
			keys, faults = nil, []Fault{{"toml", Malformed}}
		}
	}()
	if len(toml) > MaxText {
		return nil, []Fault{{"toml", TooLarge}}
	}
	return s.Judge(toml)
}

// refusal returns the event of what was refused.
func refusal(number uint32, faults []Fault) tale {
	var keys, reasons []string
	for _, f := range faults {
		keys = append(keys, f.Key)
		reasons = append(reasons, string(f.Reason))
	}
	return tale{
		Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_REFUSED, Number: number,
		Subject: strings.Join(keys, ","), Found: strings.Join(reasons, ","),
	}
}

// RollBack takes back what is on trial, or else what was kept last, as a technician wants it, and returns its number: 0 when
// there is nothing to take back. It is for an agent that does not run.
func (s *Store) RollBack() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.state.inForce()
	if gone.Number == 0 {
		return 0, s.locked
	}
	next := s.state.clone()
	if next.Trial == nil {
		next.Kept, next.Previous, next.Unfit = next.Previous, Version{}, false
	}
	keys, _ := s.judge(gone.TOML)
	next.Trial, next.Refused = nil, gone.Number
	next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_ROLLED_BACK, Number: gone.Number, Subject: strings.Join(keys, ","), Found: technician})
	return gone.Number, s.save(next)
}
