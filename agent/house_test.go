package main_test

import (
	"fmt"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// floors is the floor that each package stands on. A package imports what stands on a lower floor, and no neighbour but
// through one of the doors. A new package needs its place here before the tests pass.
var floors = map[string]int{
	"agent":           4,
	"agent/collect":   4,
	"agent/localapi":  4,
	"agent/readiness": 4,
	"agent/settings":  4,

	"loyalty/ledger":              3,
	"uplink":                      3,
	"uplink/backend":              3,
	"uplink/backend/ca":           3,
	"uplink/backend/cards":        3,
	"uplink/backend/deny":         3,
	"uplink/backend/enrol":        3,
	"uplink/backend/eventlog":     3,
	"uplink/backend/gateway":      3,
	"uplink/backend/land":         3,
	"uplink/backend/land/parquet": 3,
	"uplink/backend/land/row":     3,
	"uplink/backend/settings":     3,
	"uplink/backend/programme":    3,
	"uplink/cmd/backend":          3,
	"uplink/cmd/cost":             3,
	"uplink/cmd/demo":             3,
	"uplink/est":                  3,

	"buffer":        2,
	"hal":           2,
	"hal/at":        2,
	"hal/cellular":  2,
	"hal/haltest":   2,
	"loyalty/entry": 2,

	"buffer/disktest":         1,
	"buffer/group":            1,
	"loyalty":                 1,
	"loyalty/payment":         1,
	"loyalty/phone":           1,
	"pci":                     1,
	"uplink/block":            1,
	"uplink/block/blocktest":  1,
	"uplink/cli":              1,
	"uplink/file":             1,
	"uplink/identity":         1,
	"uplink/keypair":          1,
	"uplink/packing":          1,
	"uplink/pkcs7":            1,
	"uplink/preface":          1,
	"uplink/sketch":           1,
	"uplink/wire":             1,
	"uplink/wire/wireconnect": 1,
}

// doors are the imports within one floor.
var doors = map[string][]string{
	"agent":                       {"agent/collect", "agent/localapi", "agent/readiness", "agent/settings"},
	"agent/localapi":              {"agent/collect", "agent/readiness"},
	"hal":                         {"hal/at", "hal/cellular"},
	"hal/haltest":                 {"hal"},
	"uplink/backend":              {"uplink/backend/ca", "uplink/backend/cards", "uplink/backend/deny", "uplink/backend/enrol", "uplink/backend/eventlog", "uplink/backend/gateway", "uplink/backend/land", "uplink/backend/programme", "uplink/backend/settings"},
	"uplink/backend/cards":        {"uplink/backend/eventlog", "uplink/backend/programme"},
	"uplink/backend/enrol":        {"uplink/backend/ca", "uplink/backend/deny"},
	"uplink/backend/gateway":      {"uplink/backend/cards", "uplink/backend/deny", "uplink/backend/eventlog", "uplink/backend/programme", "uplink/backend/settings"},
	"uplink/backend/land":         {"uplink/backend/eventlog", "uplink/backend/land/parquet"},
	"uplink/backend/land/parquet": {"uplink/backend/eventlog", "uplink/backend/land/row"},
	"uplink/backend/land/row":     {"uplink/backend/eventlog"},
	"uplink/block":                {"uplink/wire"},
	"uplink/block/blocktest":      {"uplink/wire"},
	"uplink/cmd/backend":          {"uplink/backend", "uplink/backend/ca", "uplink/backend/deny", "uplink/backend/enrol", "uplink/backend/programme", "uplink/backend/settings"},
	"uplink/keypair":              {"uplink/file"},
	"uplink/wire/wireconnect":     {"uplink/wire"},
}

// walls are imports that go down and are wrong all the same; "x/..." is x and all below it.
var walls = []struct{ from, to, why string }{
	{"agent/...", "uplink/backend/...", "a terminal does not carry the backend"},
	{"uplink/backend/...", "buffer", "the backend has a log of its own"},
	{"uplink/backend/...", "hal", "the backend runs on no terminal"},
	{"uplink/backend/...", "loyalty/ledger", "the backend folds with the rules in loyalty"},
}

// loads are the programs that put a made-up load on the others: fakes are for them as they are for tests.
var loads = []string{"uplink/cmd/cost"}

// rooms are the folders at the top that may be committed.
var rooms = []string{"agent", "buffer", "cross-build", "hal", "loyalty", "pci", "testdata", "uplink"}

func TestHouse(t *testing.T) {
	units, err := readUnits("..")
	if err != nil {
		t.Fatal(err)
	}
	tracked, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-tree", "--name-only", "-d", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Fields(string(tracked))
	for _, complaint := range checkHouse(units, folders) {
		t.Error(complaint)
	}
}

// checkHouse says what is wrong with the packages and the top-level folders.
func checkHouse(units []unit, folders []string) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }

	for _, f := range folders {
		if !strings.HasPrefix(f, ".") && !slices.Contains(rooms, f) {
			complain("%s: no such room: the folders at the top are %s", f, strings.Join(rooms, ", "))
		}
	}
	gone := maps.Clone(floors)
	for _, u := range units {
		delete(gone, u.path)
		if _, placed := floors[u.path]; !placed && !below("cross-build/...", u.path) {
			complain("%s: stands on no floor: give it a place in floors", u.path)
			continue
		}
		if wrong := checkComments(u); wrong != "" {
			complain("%s: %s", u.path, wrong)
		}
		for _, to := range u.imports {
			if wrong := checkImport(u.path, to, false); wrong != "" {
				complain("%s imports %s: %s", u.path, to, wrong)
			}
		}
		for _, to := range u.testImports {
			if wrong := checkImport(u.path, to, true); wrong != "" {
				complain("tests of %s import %s: %s", u.path, to, wrong)
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(gone)) {
		complain("%s: has a floor and does not exist", p)
	}
	return complaints
}

// checkComments says what is wrong with the package comments of u.
func checkComments(u unit) string {
	switch {
	case len(u.comments) == 0:
		return "has no package comment"
	case len(u.comments) > 1:
		return fmt.Sprintf("has %d package comments", len(u.comments))
	case u.name != "main" && !strings.HasPrefix(u.comments[0], "Package "+u.name+" "):
		return fmt.Sprintf("its package comment does not begin with %q", "Package "+u.name)
	}
	return ""
}

// checkImport says why from may not import to. Tests may look at neighbours, and at nothing above them.
func checkImport(from, to string, inTest bool) string {
	if to == "agent" {
		return "nobody imports a program"
	}
	if below("cross-build/...", from) {
		if to == "hal/haltest" || below("cross-build/...", to) {
			return ""
		}
		return "cross-build knows hal/haltest alone"
	}
	if isFake(to) && !isFake(from) && !inTest && !slices.Contains(loads, from) {
		return "fakes are for tests"
	}
	for _, w := range walls {
		if !inTest && below(w.from, from) && below(w.to, to) {
			return w.why
		}
	}
	switch f, t := floors[from], floors[to]; {
	case t == 0:
		return "it stands on no floor"
	case t > f:
		return fmt.Sprintf("up, from floor %d to floor %d", f, t)
	case t == f && !inTest && !slices.Contains(doors[from], to):
		return fmt.Sprintf("sideways on floor %d, through no door", f)
	}
	return ""
}

// isFake reports whether a package holds fakes and conformance suites.
func isFake(p string) bool { return strings.HasSuffix(p, "test") }

// below reports whether p is pattern, or below a pattern that ends in "/...".
func below(pattern, p string) bool {
	tree, whole := strings.CutSuffix(pattern, "/...")
	return p == tree || whole && strings.HasPrefix(p, tree+"/")
}

func TestHouseRefuses(t *testing.T) {
	tests := map[string]struct {
		path    string // whose unit is spoiled
		spoil   func(u *unit)
		folders []string
		want    string
	}{
		"import of the floor above": {
			path: "hal", spoil: func(u *unit) { u.imports = []string{"uplink"} },
			want: "hal imports uplink: up, from floor 2 to floor 3",
		},
		"import of a neighbour": {
			path: "hal", spoil: func(u *unit) { u.imports = []string{"buffer"} },
			want: "hal imports buffer: sideways on floor 2, through no door",
		},
		"leaf that knows a leaf": {
			path: "pci", spoil: func(u *unit) { u.imports = []string{"uplink/wire"} },
			want: "pci imports uplink/wire: sideways on floor 1, through no door",
		},
		"door taken the other way": {
			path: "uplink/wire", spoil: func(u *unit) { u.imports = []string{"uplink/wire/wireconnect"} },
			want: "uplink/wire imports uplink/wire/wireconnect: sideways on floor 1, through no door",
		},
		"test that looks up": {
			path: "buffer", spoil: func(u *unit) { u.testImports = []string{"uplink"} },
			want: "tests of buffer import uplink: up, from floor 2 to floor 3",
		},
		"import of the agent": {
			path: "uplink/cmd/demo", spoil: func(u *unit) { u.imports = []string{"agent"} },
			want: "uplink/cmd/demo imports agent: nobody imports a program",
		},
		"import of the agent by a test": {
			path: "uplink/cmd/demo", spoil: func(u *unit) { u.testImports = []string{"agent"} },
			want: "tests of uplink/cmd/demo import agent: nobody imports a program",
		},
		"backend on a terminal": {
			path: "agent", spoil: func(u *unit) { u.imports = []string{"uplink/backend/ca"} },
			want: "agent imports uplink/backend/ca: a terminal does not carry the backend",
		},
		"simulator that knows the queue": {
			path: "buffer", spoil: func(u *unit) { u.path, u.imports = "cross-build/simulator", []string{"pci"} },
			want: "cross-build/simulator imports pci: cross-build knows hal/haltest alone",
		},
		"import of a package that is nowhere": {
			path: "agent", spoil: func(u *unit) { u.imports = []string{"pci/other"} },
			want: "agent imports pci/other: it stands on no floor",
		},
		"fake outside tests": {
			path: "agent", spoil: func(u *unit) { u.imports = []string{"hal/haltest"} },
			want: "agent imports hal/haltest: fakes are for tests",
		},
		"no package comment": {
			path: "pci", spoil: func(u *unit) { u.comments = nil },
			want: "pci: has no package comment",
		},
		"two package comments": {
			path: "pci", spoil: func(u *unit) { u.comments = append(u.comments, u.comments...) },
			want: "pci: has 2 package comments",
		},
		"comment of another package": {
			path: "pci", spoil: func(u *unit) { u.comments = []string{"Package pan is it.\n"} },
			want: `pci: its package comment does not begin with "Package pci"`,
		},
		"package that was not placed": {
			path: "pci", spoil: func(u *unit) { u.path = "pci/utils" },
			want: "pci/utils: stands on no floor: give it a place in floors",
		},
		"package that is gone": {
			path: "pci", spoil: func(u *unit) { u.path = "cross-build/simulator" },
			want: "pci: has a floor and does not exist",
		},
		"folder of its own at the top": {
			folders: []string{"agent", ".git", "utils"},
			want:    "utils: no such room: the folders at the top are " + strings.Join(rooms, ", "),
		},
	}
	if got := checkHouse(goodHouse(), rooms); len(got) > 0 {
		t.Errorf("complaints about a good house: %q", got)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			units := goodHouse()
			for i := range units {
				if units[i].path == tt.path {
					tt.spoil(&units[i])
				}
			}
			if got := checkHouse(units, tt.folders); !slices.Contains(got, tt.want) {
				t.Errorf("complaints = %q, want among them %q", got, tt.want)
			}
		})
	}
}

// goodHouse is every package that has a floor, with a package comment and no imports.
func goodHouse() []unit {
	var units []unit
	for _, p := range slices.Sorted(maps.Keys(floors)) {
		units = append(units, unit{path: p, name: path.Base(p), comments: []string{"Package " + path.Base(p) + " is good.\n"}})
	}
	return units
}
