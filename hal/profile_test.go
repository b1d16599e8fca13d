package hal_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/hal"
)

const boards = "../cross-build/boards"

// Every board that is shipped can be read, is named as its file, and is the only one with its names of the device tree.
func TestShippedProfiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(boards, "*.toml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("boards %v, %v", files, err)
	}
	owner := map[string]string{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, compatible, err := hal.ParseProfile(file, content)
		if err != nil {
			t.Error(err)
		}
		if want := strings.TrimSuffix(filepath.Base(file), ".toml"); p.Board != want {
			t.Errorf("%s: the board is called %q", file, p.Board)
		}
		for _, name := range compatible {
			if owner[name] != "" {
				t.Errorf("%s and %s are both %s", owner[name], file, name)
			}
			owner[name] = file
		}
	}
}

// The example in the description of profiles is a profile.
func TestProfileExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(boards, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	for line := range strings.Lines(string(text)) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			example.WriteString(code)
		}
	}
	p, compatible, err := hal.ParseProfile("README.md", []byte(example.String()))
	if err != nil {
		t.Fatal(err)
	}
	chip, _ := hal.ChipNamed("max17048")
	want := hal.Profile{
		Board:  "example",
		Gauges: []hal.GaugeAt{{Name: "main", Chip: chip, Bus: "/dev/i2c-1", Address: 0x36}},
		Tamper: &hal.Pin{Chip: "pinctrl-bcm2711", Line: "GPIO17", Pull: hal.PullUp, Debounce: 50 * time.Millisecond},
		Dock:   &hal.Pin{Chip: "pinctrl-bcm2711", Line: "27", ActiveLow: true},
		Modem:  hal.ModemAuto, ModemBaud: 115200, ModemProfile: "quectel",
	}
	sameChip := cmp.Comparer(func(a, b hal.GaugeChip) bool { return a.Name() == b.Name() })
	if diff := cmp.Diff(want, p, sameChip); diff != "" {
		t.Errorf("profile differs (-want +got):\n%s", diff)
	}
	if !slices.Equal(compatible, []string{"maker,example"}) {
		t.Errorf("compatible is %q", compatible)
	}
}

func TestProfileMistakes(t *testing.T) {
	for _, test := range []struct{ name, toml, want, hint string }{
		{"not TOML", "board = ", "b.toml:1:8: ", ""},
		{"no name", `compatible = ["a"]`, "b.toml: board: want the board's name, of up to 64 characters", ""},
		{"unknown setting", "board = \"b\"\ncolour = 1", "b.toml:2:1: colour: no such setting", "there are board, compatible, [[battery]], [tamper], [dock] and [modem]"},
		{"unknown setting of a pin", "board = \"b\"\n[tamper]\nline = \"3\"\nbias = \"up\"", "b.toml:4:1: tamper.bias: no such setting", "there are chip, line, active, pull and debounce"},
		{"wrong type", "board = \"b\"\n[[battery]]\naddress = \"0x36\"", "b.toml:3:11: battery.address: ", ""},
		{"unknown chip", "board = \"b\"\n[[battery]]\nchip = \"ds2745\"\nbus = \"/dev/i2c-1\"", "b.toml: battery.chip: want one of sbs, max17048, bq27441, bq27z561", ""},
		{"no bus", "board = \"b\"\n[[battery]]\nchip = \"sbs\"", "b.toml: battery.bus: want a bus, such as \"/dev/i2c-1\", or its adapter's name", ""},
		{"address of the bus's own", "board = \"b\"\n[[battery]]\nchip = \"sbs\"\nbus = \"x\"\naddress = 3", "b.toml: battery.address: want 0x08 to 0x77", ""},
		{"two gauges at one address", "board = \"b\"\n[[battery]]\nchip = \"sbs\"\nbus = \"x\"\n[[battery]]\nchip = \"max17048\"\nbus = \"x\"\naddress = 0x0b", "b.toml: battery.address: another gauge is at 0x0b of that bus", ""},
		{"two gauges of one name", "board = \"b\"\n[[battery]]\nchip = \"sbs\"\nbus = \"x\"\nname = \"n\"\n[[battery]]\nchip = \"sbs\"\nbus = \"y\"\nname = \"n\"", "b.toml: battery.name: another gauge is called \"n\"", ""},
		{"two switches on one line", "board = \"b\"\n[tamper]\nline = \"L\"\n[dock]\nline = \"L\"", "b.toml: dock.line: the tamper switch is on that line", ""},
		{"no line", "board = \"b\"\n[dock]\nchip = \"gpiochip0\"", "b.toml: dock.line: want the line's name or its number on the chip", ""},
		{"a number of any chip", "board = \"b\"\n[dock]\nline = \"3\"", "b.toml: dock.chip: want the chip's name, label or device: a number alone is of no chip", ""},
		{"unknown pull", "board = \"b\"\n[dock]\nline = \"D\"\npull = \"high\"", "b.toml: dock.pull: want \"as-is\", \"up\", \"down\" or \"off\"", ""},
		{"unknown level", "board = \"b\"\n[dock]\nline = \"D\"\nactive = \"yes\"", "b.toml: dock.active: want \"high\" or \"low\"", ""},
		{"long debounce", "board = \"b\"\n[dock]\nline = \"D\"\ndebounce = \"1m\"", "b.toml: dock.debounce: want 1ms to 1s", ""},
		{"no port", "board = \"b\"\n[modem]\nbaud = 9600", "b.toml: modem.port: want a path, \"auto\" or \"off\"", ""},
		{"unknown modem", "board = \"b\"\n[modem]\nport = \"auto\"\nprofile = \"hayes\"", "b.toml: modem.profile: no such profile of a modem", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _, err := hal.ParseProfile("b.toml", []byte(test.toml))
			var wrong *hal.ProfileError
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), test.want) || wrong.Hint() != test.hint {
				t.Errorf("error %v with hint %q, want %s with %q", err, wrong.Hint(), test.want, test.hint)
			}
			if p.Board != "" || p.Gauges != nil || p.Tamper != nil {
				t.Errorf("profile %+v with an error", p)
			}
		})
	}
}

func TestProfileStore(t *testing.T) {
	dir := t.TempDir()
	write := func(file, content string) {
		t.Helper()
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := hal.ProfileStore{File: filepath.Join(dir, "etc/board.toml"), Dir: filepath.Join(dir, "boards"), SysRoot: filepath.Join(dir, "sys")}
	expect := func(when, board, want, problem string) {
		t.Helper()
		p, err := store.Load(board)
		if p.Board != want || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: board %q, %v, want %q, %q", when, p.Board, err, want, problem)
		}
	}
	expect("nothing there", hal.BoardAuto, "", "")
	expect("nothing there", "till", "", "no such board profile")
	write("boards/till.toml", "board = \"till\"\ncompatible = [\"acme,till\", \"acme,base\"]")
	write("boards/base.toml", "board = \"base\"\ncompatible = [\"acme,soc\"]")
	write("boards/wrong.toml", "bored = 1")
	expect("no device tree", hal.BoardAuto, "", "")
	expect("by name", "till", "till", "")
	expect("by path", filepath.Join(dir, "boards/till.toml"), "till", "")
	expect("by the name of one that is wrong", "wrong", "", "bored: no such setting")
	write("sys/firmware/devicetree/base/compatible", "acme,till2\x00acme,till\x00acme,soc\x00")
	expect("the most exact of the device tree", "", "till", "")
	write("sys/firmware/devicetree/base/compatible", "other\x00acme,soc\x00")
	expect("the system on chip", hal.BoardAuto, "base", "")
	write("sys/firmware/devicetree/base/compatible", "other\x00")
	expect("one of another", hal.BoardAuto, "", "bored: no such setting")
	write("etc/board.toml", "board = \"mine\"")
	expect("its own", hal.BoardAuto, "mine", "")
	write("etc/board.toml", "board = ")
	expect("its own, broken", hal.BoardAuto, "", "etc/board.toml:1")
}

func FuzzProfile(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(boards, "*.toml"))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		p, _, err := hal.ParseProfile("fuzz.toml", content)
		var wrong *hal.ProfileError
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("error %v", err)
		}
		for _, g := range p.Gauges {
			if g.Bus == "" || g.Address != 0 && (g.Address < 8 || g.Address > 0x77) {
				t.Fatalf("gauge %+v", g)
			}
		}
	})
}
