package settings

import (
	"context"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// lookEvery is how often it is looked whether the agent is online, while settings are on trial.
	lookEvery = 5 * time.Second
	// tellAgain is how long to wait when an event can't be recorded.
	tellAgain = time.Minute
)

// Running is what a store needs while the agent runs.
type Running struct {
	Online func() bool                              // whether the uplink is up
	Spread time.Duration                            // how long the first attempt to get online may take to come
	Record func(context.Context, *wire.Audit) error // puts an event into the ledger
}

// Run records what became of settings and judges those on trial, until ctx ends. Call it once the agent has been started with
// what [Store.Begin] returned. An event is recorded at least once: a power cut in between has it recorded again.
func (s *Store) Run(ctx context.Context, r Running) {
	started, online := time.Now(), false
	s.applied()
	for {
		wait := s.tell(ctx, r.Record)
		online = online || r.Online()
		s.mu.Lock()
		now := time.Now()
		wait = sooner(wait, s.judgeTrial(now.Sub(started), online, r.Spread))
		wait = sooner(wait, s.waitForNext(now))
		s.mu.Unlock()
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		case <-due:
		}
	}
}

// sooner returns the shorter of two waits. 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// applied has it told that what is on trial is in force.
func (s *Store) applied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.state.Trial
	if t == nil || t.Told || s.running.Number != t.Number {
		return
	}
	next := s.state.clone()
	next.Trial.Told = true
	next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_APPLIED, Number: t.Number, Subject: s.keysOf(t.TOML)})
	s.keep(next)
}

// judgeTrial keeps what is on trial, or gives it up, when its time has come, and returns how long to wait until the next look: 0
// when there is nothing on trial. The caller holds mu.
func (s *Store) judgeTrial(ran time.Duration, online bool, spread time.Duration) time.Duration {
	t := s.state.Trial
	switch {
	case t == nil || s.running.Number != t.Number:
		return 0
	case online && ran >= TrialTime:
		next := s.state.clone()
		next.Previous, next.Kept, next.Trial, next.Unfit = next.Kept, t.Version, nil, false
		next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_KEPT, Number: t.Number, Subject: s.keysOf(t.TOML)})
		if err := s.save(next); err != nil {
			s.Log.Error().Err(err).Msg("settings of the backend stay on trial")
			return tellAgain
		}
		s.Log.Info().Uint32("version", t.Number).Msg("settings of the backend have proved themselves")
		s.wake()
		return 0
	case !online && ran >= TrialTime+spread:
		s.giveUp(offline)
		s.restart()
		return 0
	}
	return lookEvery
}

// waitForNext takes what came too soon, when its time has come, and returns how long that is: 0 when nothing waits. The
// caller holds mu.
func (s *Store) waitForNext(now time.Time) time.Duration {
	if s.next == nil {
		return 0
	}
	ok, at := s.limits.takes.room(now, takesPerHour, time.Hour)
	if !ok {
		return at.Sub(now)
	}
	if err := s.takeNext(now); err != nil {
		s.Log.Error().Err(err).Msg("settings of the backend are not taken")
	}
	return 0
}

// tell records the events that are not in the ledger, and returns how long to wait until what is left: 0 when nothing is.
func (s *Store) tell(ctx context.Context, record func(context.Context, *wire.Audit) error) time.Duration {
	for {
		s.mu.Lock()
		untold := s.state.clone().Untold
		s.mu.Unlock()
		if len(untold) == 0 {
			return 0
		}
		if err := record(ctx, untold[0].event()); err != nil {
			if ctx.Err() == nil {
				s.Log.Error().Err(err).Msg("what became of settings can't be recorded yet")
			}
			return tellAgain
		}
		s.mu.Lock()
		next := s.state.clone()
		if len(next.Untold) > 0 && next.Untold[0] == untold[0] {
			next.Untold = next.Untold[1:]
		}
		s.keep(next)
		s.mu.Unlock()
	}
}

// event returns the event as the ledger has it.
func (t tale) event() *wire.Audit {
	a := &wire.Audit{Kind: t.Kind, Subject: t.Subject, Found: t.Found}
	if t.Number != 0 {
		a.SettingsVersion = new(t.Number)
	}
	if t.Count != 0 {
		a.Count = new(t.Count)
	}
	return a
}
