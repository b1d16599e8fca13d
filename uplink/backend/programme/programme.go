// Package programme keeps the rules of every merchant's stamp cards on the backend: all versions that were ever in force,
// one small file each, so that operators put new ones while a backend runs.
//
// The command line puts them, the fold reads cards by them, and the gateway sends them to terminals. A version never
// changes, and is never removed: entries name it for ever.
package programme

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/wire"
)

// maxProgrammes is how many programmes a merchant may have: as many as go into a message.
const maxProgrammes = 64

var (
	// ErrVersion means that a programme has this version, or a later one, already.
	ErrVersion = errors.New("versions only go up")
	// ErrName means that a name can't be that of a merchant or of a programme.
	ErrName = errors.New("want 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")
	// ErrTooMany means that a merchant has as many programmes as there may be.
	ErrTooMany = fmt.Errorf("a merchant may have %d programmes", maxProgrammes)
)

// Set is a merchant's rules: of each programme the version that is in force. Nobody changes it.
type Set struct {
	Wire *wire.Programmes // as terminals get them
	byID map[string]loyalty.Programme
}

// Programme returns a programme in the version that is in force.
func (s Set) Programme(id string) (loyalty.Programme, bool) {
	p, ok := s.byID[id]
	return p, ok
}

// Store is the rules of all merchants. It is safe for concurrent use, and for several processes on one folder.
type Store struct {
	dir string

	mu       sync.Mutex // guards everything below
	revision revision
	sets     map[string]Set
	changed  chan struct{} // closed and replaced at each change
}

// Open opens the store in a folder, which it makes when it is missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of programmes: %w", err)
	}
	s := &Store{dir: dir, sets: map[string]Set{}, changed: make(chan struct{})}
	s.revision = s.stat()
	return s, nil
}

// Put puts a version of a programme into force, and on disk. Its error wraps [ErrVersion], [ErrName] or [ErrTooMany], or says
// what is wrong with the programme.
func (s *Store) Put(merchant string, p loyalty.Programme) error {
	if !validName(merchant) || !validName(p.ID) {
		return fmt.Errorf("cannot put programme: %w", ErrName)
	}
	if err := check(p); err != nil {
		return fmt.Errorf("cannot put programme: %w", err)
	}
	names, err := s.versions(merchant)
	if err != nil {
		return err
	}
	newest := newestOf(names)
	if v, there := newest[p.ID]; there && p.Version <= v {
		return fmt.Errorf("cannot put version %d of programme %s: %w, and there is version %d", p.Version, p.ID, ErrVersion, v)
	} else if !there && len(newest) >= maxProgrammes {
		return fmt.Errorf("cannot put programme: %w", ErrTooMany)
	}
	text, err := Format(p)
	if err != nil {
		return fmt.Errorf("cannot put programme: %w", err)
	}
	folder := filepath.Join(s.dir, merchant)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot put programme: %w", err)
	}
	switch err := file.Create(filepath.Join(folder, name{p.ID, p.Version}.String()), text, 0o600); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("cannot put version %d of programme %s: %w", p.Version, p.ID, ErrVersion)
	case err != nil:
		return err
	}
	return s.announce()
}

// Set returns a merchant's rules. It is empty for one who has none.
func (s *Store) Set(merchant string) (Set, error) {
	s.mu.Lock()
	set, ok := s.sets[merchant]
	before := s.changed
	s.mu.Unlock()
	if ok {
		return set, nil
	}
	set, err := s.load(merchant)
	if err != nil {
		return Set{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == before { // else what was read may be of before
		s.sets[merchant] = set
	}
	return set, nil
}

// load reads a merchant's rules.
func (s *Store) load(merchant string) (Set, error) {
	names, err := s.versions(merchant)
	if err != nil {
		return Set{}, err
	}
	newest := newestOf(names)
	set := Set{Wire: &wire.Programmes{}, byID: make(map[string]loyalty.Programme, len(newest))}
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		p, err := s.Version(merchant, id, newest[id])
		if err != nil {
			return Set{}, err
		}
		set.byID[id] = p
		set.Wire.Programmes = append(set.Wire.Programmes, entry.ProgrammeToWire(p))
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(set.Wire)
	if err != nil {
		return Set{}, fmt.Errorf("cannot read programmes: %w", err)
	}
	sum := sha256.Sum256(raw)
	set.Wire.Tag = sum[:8]
	return set, nil
}

// Version returns one version of a programme. The error wraps [fs.ErrNotExist] when there is none.
func (s *Store) Version(merchant, id string, version uint32) (loyalty.Programme, error) {
	path := filepath.Join(s.dir, merchant, name{id, version}.String())
	text, err := os.ReadFile(path)
	if err != nil {
		return loyalty.Programme{}, fmt.Errorf("cannot read programme: %w", err)
	}
	p, err := Parse(text, JSON)
	if err == nil && (p.ID != id || p.Version != version) {
		err = errors.New("it is of another programme than its name says")
	}
	if err != nil {
		return loyalty.Programme{}, fmt.Errorf("cannot read programme %s: %w", path, err)
	}
	return p, nil
}
