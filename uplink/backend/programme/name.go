package programme

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/identity"
)

// name is a version of a programme, as its file is called. An id has no underscore.
type name struct {
	ID      string
	Version uint32
}

func (n name) String() string { return fmt.Sprintf("%s_%d.json", n.ID, n.Version) }

// parseName reads a file's name, and returns false when it is not that of a version.
func parseName(s string) (name, bool) {
	id, rest, _ := strings.Cut(strings.TrimSuffix(s, ".json"), "_")
	v, err := strconv.ParseUint(rest, 10, 32)
	n := name{id, uint32(v)}
	return n, err == nil && validName(id) && n.String() == s
}

// validName reports whether a merchant or a programme can have the name: those of terminals have the same form.
func validName(s string) bool { return identity.ID{Merchant: s, Terminal: "x"}.Validate() == nil }

// versions returns the versions of all programmes of a merchant, by id and version.
func (s *Store) versions(merchant string) ([]name, error) {
	if !validName(merchant) {
		return nil, fmt.Errorf("cannot read programmes: %w", ErrName)
	}
	files, err := os.ReadDir(filepath.Join(s.dir, merchant))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read programmes: %w", err)
	}
	var names []name
	for _, f := range files {
		if n, ok := parseName(f.Name()); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version)) })
	return names, nil
}

func newestOf(names []name) map[string]uint32 {
	newest := map[string]uint32{}
	for _, n := range names {
		newest[n.ID] = max(newest[n.ID], n.Version)
	}
	return newest
}

// Listed is one version of a programme of a merchant.
type Listed struct {
	Merchant string
	ID       string
	Version  uint32
	InForce  bool
}

// List returns all versions of a merchant's programmes, or of all merchants' when merchant is empty: by merchant, id and
// version.
func (s *Store) List(merchant string) ([]Listed, error) {
	merchants := []string{merchant}
	if merchant == "" {
		folders, err := os.ReadDir(s.dir)
		if err != nil {
			return nil, fmt.Errorf("cannot list programmes: %w", err)
		}
		merchants = nil
		for _, f := range folders {
			if f.IsDir() && validName(f.Name()) {
				merchants = append(merchants, f.Name())
			}
		}
	}
	var all []Listed
	for _, m := range merchants {
		names, err := s.versions(m)
		if err != nil {
			return nil, err
		}
		newest := newestOf(names)
		for _, n := range names {
			all = append(all, Listed{m, n.ID, n.Version, newest[n.ID] == n.Version})
		}
	}
	return all, nil
}
