package settings

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// What a backend that has gone mad, or is somebody else's, may cost a terminal.
const (
	looksPerMinute = 10 // messages that are looked at
	talesPerHour   = 5  // refusals that are told; the next one counts those that were not
	takesPerHour   = 5  // changes, each of which starts the agent anew
)

// limits count what came lately.
type limits struct {
	looks, tales, takes window
	untold              uint32 // refusals that were not told
}

// window is when something happened lately, the oldest first.
type window []time.Time

// room reports whether it may happen now, n times within span at most, and when there is room if there is none.
func (w *window) room(now time.Time, n int, span time.Duration) (ok bool, at time.Time) {
	for len(*w) > 0 && now.Sub((*w)[0]) >= span {
		*w = (*w)[1:]
	}
	if len(*w) < n {
		return true, now
	}
	return false, (*w)[0].Add(span)
}

// use notes that it happens, when there is room.
func (w *window) use(now time.Time, n int, span time.Duration) bool {
	ok, _ := w.room(now, n, span)
	if ok {
		*w = append(*w, now)
	}
	return ok
}

// Take judges settings and puts them on trial on disk, or refuses them; either way it is told in the ledger, and nothing else
// changes (uplink.Settings). Those on trial are in force once the agent has started again: see [Store.Changed]. What came
// before, again, is passed over. It fails when they can't be written.
func (s *Store) Take(_ context.Context, m *wire.Settings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, v := time.Now(), Version{m.GetVersion(), m.GetToml()}
	if s.known(v) {
		return nil
	}
	if !s.limits.looks.use(now, looksPerMinute, time.Minute) {
		return s.refuse(now, 0, []Fault{{"version", TooOften}})
	}
	force := s.state.inForce()
	switch {
	case v.Number == 0:
		return s.refuse(now, 0, []Fault{{"version", Invalid}})
	case v.Number <= force.Number:
		return s.refuse(now, 0, []Fault{{"version", NotNewer}})
	}
	if _, faults := s.judge(v.TOML); len(faults) > 0 {
		return s.refuse(now, v.Number, faults)
	}
	s.next = &v
	return s.takeNext(now)
}

// known reports whether a version was answered before, or waits. The caller holds mu.
func (s *Store) known(v Version) bool {
	switch v.Number {
	case 0:
		return false
	case s.state.inForce().Number:
		return v == s.state.inForce()
	case s.state.Refused:
		return true
	}
	return s.next != nil && v == *s.next
}

// refuse has it told that settings were not taken, now and then. A number is noted, so that the same need not come again. The
// caller holds mu.
func (s *Store) refuse(now time.Time, number uint32, faults []Fault) error {
	told := s.limits.tales.use(now, talesPerHour, time.Hour)
	if !told {
		s.limits.untold++
		return nil
	}
	t := refusal(number, faults)
	if s.limits.untold > 0 {
		t.Count = s.limits.untold + 1
	}
	next := s.state.clone()
	next.add(t)
	if number != 0 {
		next.Refused = number
	}
	if err := s.save(next); err != nil {
		return fmt.Errorf("cannot refuse settings: %w", err)
	}
	s.limits.untold = 0
	s.Log.Error().Uint32("version", number).Str("keys", t.Subject).Str("reasons", t.Found).Msg("settings of the backend are refused")
	s.wake()
	return nil
}

// takeNext puts what waits on trial, when its time has come. The caller holds mu.
func (s *Store) takeNext(now time.Time) error {
	v := s.next
	if v == nil || v.Number <= s.state.inForce().Number {
		s.next = nil
		return nil
	}
	next := s.state.clone()
	if same := next.Trial == nil && !next.Unfit && v.TOML == next.Kept.TOML; same {
		next.Kept.Number = v.Number
		next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_KEPT, Number: v.Number, Subject: s.keysOf(v.TOML)})
	} else {
		if ok, _ := s.limits.takes.room(now, takesPerHour, time.Hour); !ok {
			s.wake() // Run looks when there is room
			return nil
		}
		next.Trial = &trial{Version: *v}
	}
	if err := s.save(next); err != nil {
		s.next = nil
		return fmt.Errorf("cannot take settings: %w", err)
	}
	s.next = nil
	if next.Trial != nil {
		s.limits.takes.use(now, takesPerHour, time.Hour)
		s.Log.Info().Uint32("version", v.Number).Msg("settings of the backend are taken; the agent starts again with them")
		s.restart()
	}
	s.wake()
	return nil
}

func (s *Store) keysOf(toml string) string {
	keys, _ := s.judge(toml)
	return strings.Join(keys, ",")
}
