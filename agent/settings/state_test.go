package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("SETTINGS_VICTIM"); path != "" {
		beKilled(path)
	}
	goleak.VerifyTestMain(m)
}

// A file that makes no sense keeps no agent from starting: it is set aside, told of once, and new settings are taken.
func TestPoisonedFile(t *testing.T) {
	good, err := json.Marshal(state{Format: format, Kept: Version{1, "one"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty":          "",
		"not JSON":       "\x00\xff garbage",
		"cut off":        string(good[:len(good)-2]),
		"later format":   `{"format":2}`,
		"unknown field":  strings.Replace(string(good), `"refused"`, `"refusals"`, 1),
		"another type":   `{"format":1,"kept":[]}`,
		"huge":           strings.Repeat(" ", maxFile) + string(good),
		"huge text":      fmt.Sprintf(`{"format":1,"kept":{"version":1,"toml":%q}}`, strings.Repeat("a ", MaxText)),
		"negative count": `{"format":1,"trial":{"version":1,"toml":"a","starts":-1000}}`,
		"a folder":       "",
	} {
		t.Run(name, func(t *testing.T) {
			m := newTerminal(t)
			if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
				t.Fatal(err)
			}
			write := func() error { return os.WriteFile(m.path, []byte(data), 0o600) }
			if name == "a folder" {
				write = func() error { return os.Mkdir(m.path, 0o700) }
			}
			if err := write(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				stop := m.open()
				m.ran(10*time.Millisecond, 0)
				stop()
			}
			m.told("refused 0 settings.json damaged")
			defer m.open()()
			m.take(1, "one")
			m.ran(10*time.Millisecond, 1)
			if info, err := os.Stat(m.path); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
			}
		})
	}
}

// What was forged into the file is judged like anything else.
func TestForgedFile(t *testing.T) {
	for name, forged := range map[string]state{
		"kept":  {Format: format, Kept: Version{1, "bad"}},
		"trial": {Format: format, Trial: &trial{Version: Version{1, "bad"}}},
		"panic": {Format: format, Trial: &trial{Version: Version{1, "panic"}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTerminal(t)
			data, err := json.Marshal(forged)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(m.path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			defer m.open()()
			m.ran(10*time.Millisecond, 0)
			if len(m.events) != 1 {
				t.Errorf("events: %q, want one", m.events)
			}
			if v, _, err := Look(m.path, m.judge); err != nil || v.Number != 0 {
				t.Errorf("Look = %v, %v; want nothing", v, err)
			}
		})
	}
}

// A process that is killed at any instant leaves what it had before a step or after it: the number in force never goes back,
// unless that was told, and nothing is left that can't be read.
func TestKilledAtRandom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	var last uint32
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		victim := exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), "SETTINGS_VICTIM="+path)
		var out bytes.Buffer
		victim.Stdout = &out
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+7*i%31) * time.Millisecond)
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed

		state, err := load(path)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		var said uint32 // what the victim said was on disk
		for line := range strings.Lines(out.String()) {
			if n := new(uint32); strings.HasSuffix(line, "\n") {
				if _, err := fmt.Sscanf(line, "taken %d", n); err == nil {
					said = *n
				}
			}
		}
		newest := max(state.inForce().Number, state.Refused)
		if newest < said || newest < last {
			t.Fatalf("round %d: the disk has %d, the terminal has said %d, and had %d before", i, newest, said, last)
		}
		last = newest
	}
	if last < 10 {
		t.Errorf("%d versions in all: the victim does nothing", last)
	}
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.damaged"))
	if err != nil || len(leftovers) > 0 {
		t.Errorf("set aside: %v, %v", leftovers, err)
	}
}

// beKilled takes settings, gives every third up, and says what is on disk, until it is killed.
func beKilled(path string) {
	s := Open(Options{Path: path, Judge: wordJudge, Log: zerolog.Nop()})
	for n := max(s.state.inForce().Number, s.state.Refused) + 1; ; n++ {
		s.limits = limits{}
		if err := s.Take(context.Background(), &wire.Settings{Version: n, Toml: fmt.Sprint("v", n)}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("taken", n)
		s.Begin()
		if n%3 == 0 {
			s.Failed()
		}
	}
}

// FuzzState holds every file that is read to one that is written and read back the same.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"format":1,"kept":{"version":1,"toml":"a"},"trial":{"version":2,"toml":"<&>","starts":1,"told":true},"untold":[{"kind":13,"version":2}]}`))
	f.Add([]byte(`{"format":1}{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parse(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(text)
		if len(text) > maxFile {
			return
		}
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, text)
		}
		if third, err := json.Marshal(again); err != nil || !bytes.Equal(text, third) {
			t.Errorf("written %s, then %s", text, third)
		}
	})
}
