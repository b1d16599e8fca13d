package settings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/wire"
)

// wordJudge takes texts of words, each of which is a setting; those that begin with "bad" are not allowed.
func wordJudge(toml string) (keys []string, faults []Fault) {
	for word := range strings.FieldsSeq(toml) {
		if word == "panic" {
			panic("the judge failed")
		}
		if strings.HasPrefix(word, "bad") {
			faults = append(faults, Fault{word, Forbidden})
		}
		keys = append(keys, word)
	}
	return keys, faults
}

// terminal runs an agent that does nothing, with a store on a real disk.
type terminal struct {
	t      *testing.T
	path   string
	judge  Judge
	online func() bool
	store  *Store

	mu     sync.Mutex // guards events
	events []string
}

func newTerminal(t *testing.T) *terminal {
	return &terminal{t: t, path: filepath.Join(t.TempDir(), "queue", "settings.json"), judge: wordJudge, online: func() bool { return true }}
}

// open is a start of the process; what it returns ends the process.
func (m *terminal) open() (stop func()) {
	m.t.Helper()
	m.store = Open(Options{Path: m.path, Judge: m.judge, Log: zerolog.Nop()})
	return m.store.Close
}

// life is one start of the agent, which runs until it is to start again or for d. It returns what it ran with.
func (m *terminal) life(d time.Duration) Version {
	m.t.Helper()
	v := m.store.Begin()
	ctx, cancel := context.WithTimeout(m.t.Context(), d)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		m.store.Run(ctx, Running{Online: m.online, Spread: time.Minute, Record: m.record})
	})
	select {
	case <-m.store.Changed():
	case <-ctx.Done():
	}
	cancel()
	running.Wait()
	return v
}

func (m *terminal) record(_ context.Context, a *wire.Audit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := strings.ToLower(strings.TrimPrefix(a.GetKind().String(), "AUDIT_KIND_SETTINGS_"))
	m.events = append(m.events, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", kind, a.GetSettingsVersion(), a.GetSubject(), a.GetFound())))
	return nil
}

// take sends settings, which must be taken or refused, but not fail.
func (m *terminal) take(number uint32, toml string) {
	m.t.Helper()
	if err := m.store.Take(m.t.Context(), &wire.Settings{Version: number, Toml: toml}); err != nil {
		m.t.Fatal(err)
	}
}

// told fails the test unless the events so far are these.
func (m *terminal) told(want ...string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.events, want) {
		m.t.Errorf("events:\n%s\nwant:\n%s", strings.Join(m.events, "\n"), strings.Join(want, "\n"))
	}
}

// ran fails the test unless the next life has a version.
func (m *terminal) ran(d time.Duration, want uint32) {
	m.t.Helper()
	if got := m.life(d); got.Number != want {
		m.t.Errorf("ran with version %d, want %d", got.Number, want)
	}
}

// has fails the test unless Hello says so.
func (m *terminal) has(version, refused uint32) {
	m.t.Helper()
	if h := m.store.Have(); h.GetVersion() != version || h.GetRefused() != refused {
		m.t.Errorf("hello says %v, want %d and refused %d", h, version, refused)
	}
}

// What is taken is on trial, and stays once the agent was up and online for ten minutes.
func TestKept(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		defer m.open()()
		m.ran(time.Second, 0)
		m.take(3, "a b")
		m.ran(TrialTime-time.Second, 3)
		m.told("applied 3 a,b")
		m.ran(TrialTime+lookEvery, 3) // it was stopped before the time
		m.told("applied 3 a,b", "kept 3 a,b")
		m.take(3, "a b") // it comes again
		m.take(4, "a b") // the same under another number needs no start
		select {
		case <-m.store.Changed():
			t.Error("started again for nothing")
		default:
		}
		m.has(4, 0)
		m.take(5, "") // cleared
		m.ran(time.Hour, 5)
		m.told("applied 3 a,b", "kept 3 a,b", "kept 4 a,b", "applied 5", "kept 5")
	})
}

// Each way in which settings can go wrong brings back what was there before.
func TestRolledBack(t *testing.T) {
	for _, tt := range []struct {
		name string
		bad  func(m *terminal) // lives with version 2, which was just taken
		why  string
	}{
		{"never online", func(m *terminal) {
			m.online = func() bool { return false }
			start := time.Now()
			m.ran(time.Hour, 2)
			if took := time.Since(start); took < TrialTime || took > TrialTime+time.Minute+lookEvery {
				m.t.Errorf("given up after %v", took)
			}
		}, offline},
		{"can't start", func(m *terminal) {
			m.store.Begin()
			if !m.store.Failed() {
				m.t.Error("not worth another try")
			}
			m.store.Begin()
			if m.store.Failed() {
				m.t.Error("what was there before is given up, too")
			}
		}, startless},
		{"crashes", func(m *terminal) {
			for range MaxStarts {
				m.ran(TrialTime-time.Second, 2)
				m.store.lock.release() // a crash: nothing else is done
				m.open()
			}
		}, crashing},
		{"config file has changed", func(m *terminal) {
			m.store.Judge = func(toml string) ([]string, []Fault) {
				if toml == "two" {
					return nil, []Fault{{"two", Invalid}}
				}
				return wordJudge(toml)
			}
		}, string(Invalid)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newTerminal(t)
			synctest.Test(t, func(t *testing.T) {
				m.t = t
				m.open()
				defer func() { m.store.Close() }()
				m.take(1, "one")
				m.ran(time.Hour, 1)
				m.take(2, "two")
				m.events = nil
				tt.bad(m)
				m.events = slices.DeleteFunc(m.events, func(e string) bool { return e == "applied 2 two" })
				m.online = func() bool { return true }
				m.ran(time.Second, 1)
				if tt.why == string(Invalid) {
					m.told("rolled_back 2  " + tt.why)
				} else {
					m.told("rolled_back 2 two " + tt.why)
				}
				m.has(1, 2)
				m.take(2, "two") // it is not tried again
				m.ran(time.Second, 1)
				m.take(3, "three")
				m.ran(time.Second, 3)
			})
		})
	}
}

// Nothing that a backend sends changes anything but settings that may be, and it is told of what was tried.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    *wire.Settings
		want string
		no   uint32 // refused, as Hello says
	}{
		{"not allowed", &wire.Settings{Version: 8, Toml: "a bad1 bad2"}, "refused 8 bad1,bad2 forbidden,forbidden", 8},
		{"no number", &wire.Settings{Toml: "a"}, "refused 0 version invalid", 0},
		{"going back", &wire.Settings{Version: 6, Toml: "a"}, "refused 0 version not newer", 0},
		{"same number", &wire.Settings{Version: 7, Toml: "b"}, "refused 0 version not newer", 0},
		{"huge", &wire.Settings{Version: 9, Toml: strings.Repeat("a", MaxText+1)}, "refused 9 toml too large", 9},
		{"fault of the judge", &wire.Settings{Version: 9, Toml: "panic"}, "refused 9 toml malformed", 9},
		{"nothing", nil, "refused 0 version invalid", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newTerminal(t)
			synctest.Test(t, func(t *testing.T) {
				m.t = t
				defer m.open()()
				m.take(7, "good")
				m.ran(time.Hour, 7)
				m.events = nil
				if err := m.store.Take(t.Context(), tt.m); err != nil {
					t.Fatal(err)
				}
				m.ran(time.Second, 7)
				m.told(tt.want)
				m.has(7, tt.no)
			})
		})
	}
}

// A flood starts the agent five times in an hour, and the last of it is what is in force in the end. Refusals are told five
// times in an hour, and counted.
func TestFlood(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		defer m.open()()
		for i := range uint32(10) {
			m.take(i+1, fmt.Sprint("v", i+1))
			if i < takesPerHour {
				m.ran(time.Second, i+1)
			}
			time.Sleep(time.Minute)
		}
		m.has(takesPerHour, 0)
		if n := len(m.events); n != takesPerHour {
			t.Errorf("%d events, want %d: %q", n, takesPerHour, m.events)
		}
		start := time.Now()
		m.life(2 * time.Hour) // it runs until there is room again
		if took := time.Since(start); took > time.Hour {
			t.Errorf("what waits is taken after %v", took)
		}
		m.ran(time.Second, 10)

		m.events = nil
		for i := range uint32(1000) {
			m.take(100+i, "bad")
		}
		m.ran(time.Second, 10)
		if n := len(m.events); n != talesPerHour {
			t.Errorf("%d refusals told, want %d", n, talesPerHour)
		}
		time.Sleep(time.Hour)
		var count uint32
		m.take(5000, "bad")
		m.store.Run(canceled(t), Running{Online: m.online, Record: func(_ context.Context, a *wire.Audit) error {
			count = a.GetCount()
			return nil
		}})
		if want := uint32(1000 - talesPerHour + 1); count != want {
			t.Errorf("told of %d refusals, want %d", count, want)
		}
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// What was kept and no longer goes with the config file is passed over until it does again.
func TestUnfit(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		stop := m.open()
		m.take(1, "one")
		m.ran(time.Hour, 1)
		stop()
		m.events = nil
		m.judge = func(string) ([]string, []Fault) { return nil, []Fault{{"one", Invalid}} }
		for range 3 {
			stop = m.open()
			m.ran(time.Second, 0)
			m.has(0, 1)
			stop()
		}
		m.told("refused 1 one invalid")
		m.judge = wordJudge
		stop = m.open()
		defer stop()
		m.ran(time.Second, 1)
		m.told("refused 1 one invalid", "applied 1 one")
		m.has(1, 0)
	})
}

// An agent that is stopped and started again and again has not crashed.
func TestStoppedIsNoCrash(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		stop := m.open()
		m.take(1, "one")
		for range 3 * MaxStarts {
			m.ran(time.Second, 1)
			stop()
			stop = m.open()
		}
		m.ran(time.Hour, 1)
		m.told("applied 1 one", "kept 1 one")
		stop()
	})
}

// Two processes never write one store; the second runs with what there is.
func TestOneWriter(t *testing.T) {
	m := newTerminal(t)
	stop := m.open()
	m.take(1, "one")
	first := m.store
	m.open()
	defer m.store.Close()
	if v := m.store.Begin(); v.Number != 0 {
		t.Errorf("the second begins a trial: %v", v)
	}
	if err := m.store.Take(t.Context(), &wire.Settings{Version: 2, Toml: "two"}); !errors.Is(err, ErrInUse) {
		t.Errorf("Take = %v, want ErrInUse", err)
	}
	if _, err := m.store.RollBack(); !errors.Is(err, ErrInUse) {
		t.Errorf("RollBack = %v, want ErrInUse", err)
	}
	if v := first.Begin(); v.Number != 1 {
		t.Errorf("the first begins with %v", v)
	}
	stop()
}

// A disk that can't be written takes no settings, and keeps no agent from running.
func TestUnwritable(t *testing.T) {
	m := newTerminal(t)
	if err := os.WriteFile(filepath.Dir(m.path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer m.open()()
	if err := m.store.Take(t.Context(), &wire.Settings{Version: 2, Toml: "two"}); err == nil {
		t.Error("taken")
	}
	if v := m.store.Begin(); v.Number != 0 {
		t.Errorf("begins with %v", v)
	}
	m.has(0, 0)
}

// A technician takes back what is on trial, then what was kept, then nothing is left.
func TestRollBack(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		defer m.open()()
		for i := range uint32(2) {
			m.take(i+1, fmt.Sprint("v", i+1))
			m.ran(time.Hour, i+1)
		}
		m.take(3, "v3")
		m.ran(time.Second, 3)
		m.events = nil
		for want := uint32(3); want > 0; want-- {
			if got, err := m.store.RollBack(); err != nil || got != want {
				t.Fatalf("RollBack = %d, %v; want %d", got, err, want)
			}
			if v := m.store.Begin(); v.Number != want-1 {
				t.Errorf("begins with %v, want %d", v, want-1)
			}
		}
		if got, err := m.store.RollBack(); err != nil || got != 0 {
			t.Errorf("RollBack = %d, %v; want nothing", got, err)
		}
		m.ran(time.Second, 0)
		m.told("rolled_back 3 v3 technician", "rolled_back 2 v2 technician", "rolled_back 1 v1 technician")
	})
}

// A ledger that takes nothing for a while gets every event in the end, in order.
func TestToldLater(t *testing.T) {
	m := newTerminal(t)
	synctest.Test(t, func(t *testing.T) {
		m.t = t
		defer m.open()()
		m.take(1, "bad")
		var broken atomic.Bool
		broken.Store(true)
		m.store.Begin()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			m.store.Run(ctx, Running{Online: m.online, Record: func(ctx context.Context, a *wire.Audit) error {
				if broken.Load() {
					return errors.New("full")
				}
				return m.record(ctx, a)
			}})
		})
		time.Sleep(time.Minute / 2)
		m.take(2, "worse bad")
		time.Sleep(time.Second)
		broken.Store(false)
		time.Sleep(2 * tellAgain)
		cancel()
		running.Wait()
		m.told("refused 1 bad forbidden", "refused 2 bad forbidden")
	})
}
