// Package settings keeps what the backend has sent of a terminal's settings: what is in force, for good or on trial, what was
// before, and what became of the rest.
//
// The agent asks it before each start what to run with, hands it to the uplink, and starts again when it says so. It gives
// settings up with which the agent does not stay up or does not get online. What settings mean, and which of them the
// backend may change, the judge knows that it is handed; it never writes the agent's own config file.
package settings

import (
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// MaxText is the most bytes that settings may have (Settings.toml in the schema).
	MaxText = 16 << 10
	// TrialTime is how long the agent must have run with new settings, and have been online, until they stay. It is also how
	// long it may take to get online with them, after the first attempt.
	TrialTime = 10 * time.Minute
	// MaxStarts is how often the agent is started with settings that are on trial.
	MaxStarts = 3
)

// Version is what the backend has sent under one number. The zero Version is nothing: the agent's own file decides.
type Version struct {
	Number uint32 `json:"version"`
	TOML   string `json:"toml"`
}

// Fault says why one setting can't be taken. It never holds a value, nor a name that is not a setting's.
type Fault struct {
	Key    string // "queue.max_size", or what else is wrong: "toml", "version"
	Reason Reason
}

// Reason is why a setting can't be taken, as Audit.found tells it.
type Reason string

// The reasons.
const (
	Forbidden Reason = "forbidden" // the backend may not change it
	Unknown   Reason = "unknown"   // this agent has no such setting
	Invalid   Reason = "invalid"   // the value is of the wrong type, out of range, or does not go with the others
	Malformed Reason = "malformed" // the text is not TOML
	TooLarge  Reason = "too large" // the text has more than MaxText bytes
	NotNewer  Reason = "not newer" // the number is that of other settings, or goes back
	TooOften  Reason = "too often" // more came than is looked at
	Damaged   Reason = "damaged"   // what was on disk can't be read
)

// Judge says which settings a text sets, and everything that is wrong with it. It is asked about anything whatever, of up
// to MaxText bytes.
type Judge func(toml string) (keys []string, faults []Fault)

// Options is what a store needs.
type Options struct {
	Path  string // the file; its folder may be missing
	Judge Judge
	Log   zerolog.Logger
}

// errClosed means that a store is used after its end.
var errClosed = errors.New("cannot change settings of the backend: the agent has ended")

// Store is the settings of one terminal. It outlives the agent's starts within a process. It is safe for concurrent use.
type Store struct {
	Options
	lock   *lock
	locked error // why there is no lock: then nothing is written

	mu      sync.Mutex // guards everything below
	state   state
	running Version // what Begin returned last
	limits  limits
	next    *Version      // came too soon after others: taken when its time has come
	changed chan struct{} // closed when the agent is to start again
	news    chan struct{} // a token when there is something to do for Run
}

// Open reads the store. It never fails: settings that can't be read are set aside and told of, and the agent's own file
// decides. Close it when the agent has ended.
func Open(o Options) *Store {
	s := &Store{Options: o, changed: make(chan struct{}), news: make(chan struct{}, 1)}
	if s.lock, s.locked = acquire(o.Path); s.locked != nil {
		s.Log.Warn().Err(s.locked).Msg("settings of the backend are left as they are")
	}
	var err error
	s.state, err = load(o.Path)
	if err != nil {
		s.Log.Error().Err(err).Msg("settings of the backend can't be read; the config file decides")
		s.state = state{Format: format}
		s.discard()
	}
	return s
}

// Close lets other processes use the store. That the agent was stopped does not count against what is on trial.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.state.Trial; t != nil && t.Starts > 0 && s.locked == nil {
		next := s.state.clone()
		next.Trial.Starts--
		s.keep(next)
	}
	s.lock.release()
	s.lock, s.locked = nil, errClosed
}

// Have returns what is in force and what was refused last (uplink.Settings).
func (s *Store) Have() *wire.SettingsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	number := s.state.inForce().Number
	if s.state.Unfit && s.state.Trial == nil {
		return &wire.SettingsState{Refused: max(number, s.state.Refused)}
	}
	return &wire.SettingsState{Version: number, Refused: s.state.Refused}
}

// Changed returns a channel that is closed when the agent is to stop and to start again, with what Begin returns then. For
// a nil Store it never is.
func (s *Store) Changed() <-chan struct{} {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// restart has the agent start again. The caller holds mu.
func (s *Store) restart() {
	select {
	case <-s.changed:
	default:
		close(s.changed)
	}
}

// wake has Run look. The caller holds mu.
func (s *Store) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Look returns what is in force in the store at path, and whether it is on trial, without changing anything: also while an
// agent runs. It is nothing when there is no store, and when it does not go with the config file.
func Look(path string, judge Judge) (v Version, onTrial bool, err error) {
	s := Store{Options: Options{Judge: judge}}
	if s.state, err = load(path); err != nil {
		return Version{}, false, err
	}
	v = s.state.inForce()
	if _, faults := s.judge(v.TOML); len(faults) > 0 {
		return Version{}, false, nil
	}
	return v, s.state.Trial != nil, nil
}
