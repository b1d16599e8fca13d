package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stampd/stampd/uplink/identity"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, terminal, toml string) uint32 {
	t.Helper()
	v, err := s.Put("m1", Version{Terminal: terminal, TOML: toml})
	if err != nil {
		t.Fatal(err)
	}
	return v.Number
}

// has fails the test unless a terminal is to have this, by the store and by one that is opened now.
func has(t *testing.T, s *Store, terminal string, number uint32, toml string) {
	t.Helper()
	for _, s := range []*Store{s, open(t, s.dir)} {
		got, err := s.Effective(identity.ID{Merchant: "m1", Terminal: terminal})
		if err != nil || got != (Effective{number, toml}) {
			t.Errorf("%s is to have %+v, %v; want %d %q", terminal, got, err, number, toml)
		}
	}
}

func TestEffective(t *testing.T) {
	s := open(t, t.TempDir())
	has(t, s, "t1", 0, "")
	const all, own = "[a]\nx = 1\ny = [\"p\"]\n", "[a]\nx = 2\n[b]\nz = true\n"
	put(t, s, "t1", own)
	has(t, s, "t1", 1, own)
	has(t, s, "t2", 0, "")
	put(t, s, "", all)
	has(t, s, "t1", 2, "[a]\nx = 2\ny = ['p']\n\n[b]\nz = true\n")
	has(t, s, "t2", 2, all)
	put(t, s, "t1", "")
	has(t, s, "t1", 3, all)
	has(t, s, "t2", 2, all)
	put(t, s, "", "")
	has(t, s, "t1", 4, "")
	has(t, s, "t2", 4, "")
}

// What a terminal is to have never gets a lower number, nor another text under the same one, whoever puts what at the same
// time.
func TestVersionsOnlyGoUp(t *testing.T) {
	dir := t.TempDir()
	var putters sync.WaitGroup
	for i := range 4 {
		putters.Go(func() {
			s := open(t, dir)
			for j := range 10 {
				put(t, s, []string{"", "t1", "t2", "t3"}[i], fmt.Sprintf("[a]\nx%d = %d\n", i, j))
			}
		})
	}
	seen := map[Effective]bool{}
	texts := map[uint32]string{}
	var last uint32
	watcher := open(t, dir)
	done := make(chan struct{})
	go func() { putters.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		watcher.refresh()
		e, err := watcher.Effective(identity.ID{Merchant: "m1", Terminal: "t1"})
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := texts[e.Number]; ok && text != e.TOML || e.Number < last {
			t.Errorf("version %d after %d: %q, before %q", e.Number, last, e.TOML, text)
		}
		texts[e.Number], last = e.TOML, e.Number
		seen[e] = true
	}
	all, err := watcher.Versions("m1")
	if err != nil || len(all) != 40 || all[39].Number != 40 {
		t.Errorf("%d versions, %v; want 40", len(all), err)
	}
	if len(seen) < 2 {
		t.Error("the watcher saw nothing happen")
	}
}

func TestPutRefuses(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "", "[a]\nx = 1\n")
	half := strings.Repeat("x", MaxText/2)
	put(t, s, "t9", "[b]\ny = '"+half+"'\n")
	for name, tt := range map[string]struct {
		merchant string
		v        Version
		want     error // nil: a *TextError
	}{
		"merchant":            {"M", Version{}, ErrName},
		"way out":             {"..", Version{}, ErrName},
		"terminal":            {"m1", Version{Terminal: "a/b"}, ErrName},
		"note":                {"m1", Version{Note: "\x1b[2J"}, ErrNote},
		"old number":          {"m1", Version{Number: 2}, ErrVersion},
		"not TOML":            {"m1", Version{TOML: "x"}, nil},
		"no section":          {"m1", Version{TOML: "x = 1"}, nil},
		"section in section":  {"m1", Version{TOML: "[a.b]\nx = 1"}, nil},
		"list of lists":       {"m1", Version{TOML: "[a]\nx = [[1]]"}, nil},
		"date":                {"m1", Version{TOML: "[a]\nx = 2026-01-01"}, nil},
		"too large":           {"m1", Version{TOML: "[a]\nx = '" + half + half + "'"}, nil},
		"too large with t9's": {"m1", Version{TOML: "[a]\nx = '" + half + "'"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Put(tt.merchant, tt.v)
			if _, text := errors.AsType[*TextError](err); err == nil || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && !text {
				t.Errorf("Put = %v, want %v", err, tt.want)
			}
		})
	}
	if all, err := s.Versions("m1"); err != nil || len(all) != 2 {
		t.Errorf("%d versions, %v; want the 2 of before", len(all), err)
	}
}

// A file that makes no sense is an error, and no empty settings.
func TestStrayFile(t *testing.T) {
	for name, text := range map[string]string{"2.json": "{", "3.json": `{"version":4}`} {
		s := open(t, t.TempDir())
		put(t, s, "", "[a]\nx = 1\n")
		if err := os.WriteFile(filepath.Join(s.dir, "m1", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if e, err := open(t, s.dir).Effective(identity.ID{Merchant: "m1", Terminal: "t1"}); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// FuzzOver holds what is put together to what it was put together from.
func FuzzOver(f *testing.F) {
	f.Add("[a]\nx = 1\ny = ['p', \"q\"]", "[a]\nx = 2.5\n[b]\nz = true")
	f.Fuzz(func(t *testing.T, below, above string) {
		text, err := over(below, above)
		if err != nil {
			return
		}
		all, err := read(text)
		if err != nil {
			if len(text) > MaxText {
				return
			}
			t.Fatalf("%v: %q", err, text)
		}
		own, _ := read(above)
		for section, settings := range own {
			for name, v := range settings {
				if got := all[section][name]; fmt.Sprint(got) != fmt.Sprint(v) {
					t.Errorf("%s.%s is %v, want %v", section, name, got, v)
				}
			}
		}
	})
}
