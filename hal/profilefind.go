package hal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// BoardAuto is the board that is to be found out.
const BoardAuto = "auto"

// maxProfile is how large a board profile may be, in bytes.
const maxProfile = 64 << 10

// ProfileStore is where board profiles are.
type ProfileStore struct {
	// File is the profile of this terminal, which need not exist.
	File string
	// Dir holds the profiles of all boards, each in a file NAME.toml.
	Dir string
	// SysRoot is where sysfs is mounted. Empty means /sys.
	SysRoot string
}

// Load returns the profile of a board: of the file when it is a path, of NAME.toml when it is a name. BoardAuto is the
// terminal's own file, or else the board that has a name of the device tree's; it is an empty profile when there is neither.
// Nothing is asked of the hardware. The error is a [*ProfileError], and the profile is empty then.
func (s ProfileStore) Load(board string) (Profile, error) {
	switch {
	case board == "" || board == BoardAuto:
		return s.auto()
	case strings.Contains(board, "/"):
		p, _, err := readProfile(board)
		return p, err
	}
	p, _, err := readProfile(filepath.Join(s.Dir, board+".toml"))
	if wrong, ok := errors.AsType[*ProfileError](err); ok && wrong.Problem == noProfile {
		wrong.hint = "there is no board in " + s.Dir
		if names := s.names(); len(names) > 0 {
			wrong.hint = "there are " + strings.Join(names, ", ")
		}
	}
	return p, err
}

// auto returns the terminal's own profile, or the one of its device tree.
func (s ProfileStore) auto() (Profile, error) {
	if _, err := os.Stat(s.File); err == nil {
		p, _, err := readProfile(s.File)
		return p, err
	}
	tree := s.tree()
	if len(tree) == 0 {
		return Profile{}, nil
	}
	best, at := Profile{}, len(tree)
	var failed error
	for _, name := range s.names() {
		p, compatible, err := readProfile(filepath.Join(s.Dir, name+".toml"))
		if err != nil {
			failed = err
			continue
		}
		// The device tree names the board first, and then what it is like.
		if i := slices.IndexFunc(tree, func(name string) bool { return slices.Contains(compatible, name) }); i >= 0 && i < at {
			best, at = p, i
		}
	}
	if at < len(tree) {
		return best, nil
	}
	return Profile{}, failed
}

// tree returns what the device tree says that the board is compatible with, the most exact first: the property
// "compatible" of the root (Devicetree Specification 0.4, clause 2.3.1).
func (s ProfileStore) tree() []string {
	root := s.SysRoot
	if root == "" {
		root = "/sys"
	}
	content, err := os.ReadFile(filepath.Join(root, "firmware/devicetree/base/compatible"))
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(content), func(r rune) bool { return r == 0 })
}

// names returns the boards that there are.
func (s ProfileStore) names() []string {
	files, _ := filepath.Glob(filepath.Join(s.Dir, "*.toml"))
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".toml"))
	}
	slices.Sort(names)
	return names
}

// noProfile is what is wrong with a file that is not there.
const noProfile = "no such board profile"

func readProfile(file string) (Profile, []string, error) {
	content, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Profile{}, nil, &ProfileError{File: file, Problem: noProfile}
	case errors.Is(err, fs.ErrPermission):
		return Profile{}, nil, &ProfileError{File: file, Problem: "may not be read", hint: "run as root, or as a user that may read it"}
	case err != nil:
		return Profile{}, nil, &ProfileError{File: file, Problem: "cannot be read"}
	case len(content) > maxProfile:
		return Profile{}, nil, &ProfileError{File: file, Problem: "too large for a board profile"}
	}
	return ParseProfile(file, content)
}
