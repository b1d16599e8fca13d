// Package settings keeps what the backend says of terminals' settings: for all terminals of a merchant, and for single ones.
//
// The command line puts and clears them while a backend runs, and the gateway sends them. It knows the form of settings and
// not one of their names: which there are, which may be sent and what they may be, each terminal judges for itself. A
// version never changes, and is never removed.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// ErrVersion means that there is this version, or a later one, already.
var ErrVersion = errors.New("versions only go up")

// ErrName means that a name can't be that of a merchant or of a terminal.
var ErrName = errors.New("want 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")

// ErrNote means that a note is too long, or has characters that a terminal would act on.
var ErrNote = fmt.Errorf("want a note of up to %d printable characters", maxNote)

// maxNote is the most bytes that a note may have.
const maxNote = 200

// Version is what was put at one time. The versions of a merchant and of its terminals are numbered together, so that
// whatever is put next has a higher number than everything that any of its terminals has.
type Version struct {
	Number   uint32    `json:"version"`  // from 1
	Terminal string    `json:"terminal"` // empty: all terminals of the merchant
	Added    time.Time `json:"added"`
	Note     string    `json:"note"` // for people; may be empty
	TOML     string    `json:"toml"` // empty when they were cleared
}

// Effective is what one terminal is to have: the merchant's settings, and over them its own.
type Effective struct {
	Number uint32 // 0: nothing was ever put for it
	TOML   string
}

// Store is the settings of all merchants. It is safe for concurrent use, and for several processes on one folder.
type Store struct {
	dir string

	mu        sync.Mutex // guards everything below
	revision  revision
	merchants map[string]map[string]Version // the newest by terminal
	changed   chan struct{}                 // closed and replaced at each change
}

// Open opens the store in a folder, which it makes when it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of settings: %w", err)
	}
	s := &Store{dir: dir, merchants: map[string]map[string]Version{}, changed: make(chan struct{})}
	s.revision = s.stat()
	return s, nil
}

// Put puts settings, on disk, in place of those that were put for the same terminal or merchant before, and returns the
// version with its number: that of v when it is higher than any before, else the next; one that is set and too low is an
// error, [ErrVersion]. What is wrong with the settings themselves is a *[TextError].
func (s *Store) Put(merchant string, v Version) (Version, error) {
	if !validName(merchant) || v.Terminal != "" && !validName(v.Terminal) {
		return Version{}, fmt.Errorf("cannot put settings: %w", ErrName)
	}
	if len(v.Note) > maxNote || strings.ContainsFunc(v.Note, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Version{}, fmt.Errorf("cannot put settings: %w", ErrNote)
	}
	for {
		put, err := s.put(merchant, v)
		if errors.Is(err, fs.ErrExist) && v.Number == 0 {
			continue // somebody else put one at the same time
		}
		if err != nil {
			return Version{}, err
		}
		return put, s.announce()
	}
}

// put makes one attempt. The error wraps [fs.ErrExist] when the number was taken meanwhile.
func (s *Store) put(merchant string, v Version) (Version, error) {
	all, err := s.Versions(merchant)
	if err != nil {
		return Version{}, err
	}
	next := uint32(1)
	if len(all) > 0 {
		next = all[len(all)-1].Number + 1
	}
	if v.Number != 0 && v.Number < next || next == 0 {
		return Version{}, fmt.Errorf("cannot put version %d of settings: %w, and the next is %d", v.Number, ErrVersion, next)
	}
	v.Number = max(v.Number, next)
	newest := newestOf(append(all, v))
	for terminal := range newest {
		if v.Terminal == "" || v.Terminal == terminal {
			if _, err := effective(newest, terminal); err != nil {
				return Version{}, err
			}
		}
	}
	text, err := format(v)
	if err != nil {
		return Version{}, fmt.Errorf("cannot put settings: %w", err)
	}
	folder := filepath.Join(s.dir, merchant)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Version{}, fmt.Errorf("cannot put settings: %w", err)
	}
	return v, file.Create(filepath.Join(folder, fileName(v.Number)), text, 0o600)
}

// Versions returns everything that was ever put for a merchant and its terminals, the oldest first.
func (s *Store) Versions(merchant string) ([]Version, error) {
	if !validName(merchant) {
		return nil, fmt.Errorf("cannot read settings: %w", ErrName)
	}
	folder := filepath.Join(s.dir, merchant)
	files, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read settings: %w", err)
	}
	var all []Version
	for _, f := range files {
		number, ok := parseName(f.Name())
		if !ok {
			continue
		}
		path := filepath.Join(folder, f.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read settings: %w", err)
		}
		v, err := parse(text)
		if err == nil && v.Number != number {
			err = errors.New("it has another number than its name says")
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read settings %s: %w", path, err)
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Version) int { return int(int64(a.Number) - int64(b.Number)) })
	return all, nil
}

// Effective returns what a terminal is to have.
func (s *Store) Effective(id identity.ID) (Effective, error) {
	s.mu.Lock()
	newest, ok := s.merchants[id.Merchant]
	before := s.changed
	s.mu.Unlock()
	if !ok {
		all, err := s.Versions(id.Merchant)
		if err != nil {
			return Effective{}, err
		}
		newest = newestOf(all)
		s.mu.Lock()
		if s.changed == before { // else what was read may be of before
			s.merchants[id.Merchant] = newest
		}
		s.mu.Unlock()
	}
	return effective(newest, id.Terminal)
}

// effective puts a terminal's own settings over those of its merchant.
func effective(newest map[string]Version, terminal string) (Effective, error) {
	all, own := newest[""], newest[terminal]
	number := max(all.Number, own.Number)
	if terminal == "" || own.TOML == "" {
		return checked(number, all.TOML)
	}
	if all.TOML == "" {
		return checked(number, own.TOML)
	}
	text, err := over(all.TOML, own.TOML)
	if err != nil {
		return Effective{}, err
	}
	return checked(number, text)
}

func checked(number uint32, text string) (Effective, error) {
	if err := check(text); err != nil {
		return Effective{}, err
	}
	return Effective{Number: number, TOML: text}, nil
}

// newestOf returns the newest version for each terminal, and under "" for all.
func newestOf(all []Version) map[string]Version {
	newest := map[string]Version{}
	for _, v := range all {
		newest[v.Terminal] = v
	}
	return newest
}

// Merchants returns the merchants for whom something was put, by name.
func (s *Store) Merchants() ([]string, error) {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read settings: %w", err)
	}
	names := map[string]bool{}
	for _, f := range folders {
		if f.IsDir() && validName(f.Name()) {
			names[f.Name()] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// fileName returns the name of a version's file.
func fileName(number uint32) string { return strconv.FormatUint(uint64(number), 10) + ".json" }

// parseName reads a file's name, and returns false when it is not that of a version.
func parseName(s string) (uint32, bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(s, ".json"), 10, 32)
	return uint32(n), err == nil && n > 0 && fileName(uint32(n)) == s
}

// validName reports whether a merchant or a terminal can have the name.
func validName(s string) bool { return identity.ID{Merchant: s, Terminal: s}.Validate() == nil }
