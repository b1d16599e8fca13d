package hal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/stampd/stampd/hal/cellular"
)

// boardFile is a board profile as it is written. cross-build/boards/README.md describes it for those who write one.
type boardFile struct {
	Board      string        `toml:"board"`
	Compatible []string      `toml:"compatible"`
	Battery    []batteryFile `toml:"battery"`
	Tamper     *pinFile      `toml:"tamper"`
	Dock       *pinFile      `toml:"dock"`
	Modem      *modemFile    `toml:"modem"`
}

type batteryFile struct {
	Name    string `toml:"name"`
	Chip    string `toml:"chip"`
	Bus     string `toml:"bus"`
	Address int64  `toml:"address"`
}

type pinFile struct {
	Chip     string `toml:"chip"`
	Line     string `toml:"line"`
	Active   string `toml:"active"`
	Pull     string `toml:"pull"`
	Debounce string `toml:"debounce"`
}

type modemFile struct {
	Port    string `toml:"port"`
	Baud    int64  `toml:"baud"`
	Profile string `toml:"profile"`
}

// boardKeys are the settings of each section of a board profile, for hints.
var boardKeys = map[string]string{
	"":        "board, compatible, [[battery]], [tamper], [dock] and [modem]",
	"battery": "name, chip, bus and address",
	"tamper":  "chip, line, active, pull and debounce",
	"dock":    "chip, line, active, pull and debounce",
	"modem":   "port, baud and profile",
}

// ProfileError says what is wrong with a board profile, and where.
type ProfileError struct {
	File         string
	Line, Column int    // from 1; 0 when it is about no line
	Key          string // "tamper.pull"; empty when it is about no setting
	Problem      string
	hint         string
}

// Error is one line: file:line:column: key: problem.
func (e *ProfileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Hint says what to do; it may be empty.
func (e *ProfileError) Hint() string { return e.hint }

// ParseProfile returns the board that data describes, the contents of the file with that name, and the names by which device
// trees know it. The profile has no paths but those of the hardware. The error is a [*ProfileError].
func ParseProfile(file string, data []byte) (p Profile, compatible []string, err error) {
	var b boardFile
	decoder := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		return Profile{}, nil, explainProfile(file, err)
	}
	c := profileChecker{file: file}
	p = Profile{Board: b.Board, Tamper: c.pin("tamper", b.Tamper), Dock: c.pin("dock", b.Dock)}
	c.that(b.Board != "" && b.Board == cleanName(b.Board), "board", "want the board's name, of up to 64 characters")
	for _, battery := range b.Battery {
		g := c.gauge(battery)
		c.apart(p.Gauges, g)
		p.Gauges = append(p.Gauges, g)
	}
	c.that(b.Tamper == nil || b.Dock == nil || b.Tamper.Line != b.Dock.Line || b.Tamper.Chip != b.Dock.Chip, "dock.line",
		"the tamper switch is on that line")
	if b.Modem != nil {
		p.Modem, p.ModemBaud, p.ModemProfile = c.modem(*b.Modem)
	}
	if c.err != nil {
		return Profile{}, nil, c.err
	}
	return p, b.Compatible, nil
}

// explainProfile says in this package's words what the decoder found.
func explainProfile(file string, err error) *ProfileError {
	var wrong *toml.DecodeError
	var unknown *toml.StrictMissingError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := &unknown.Errors[0]
		line, column := first.Position()
		key := first.Key()
		section := ""
		if len(key) > 1 {
			section = key[0]
		}
		return &ProfileError{
			File: file, Line: line, Column: column, Key: strings.Join(key, "."), Problem: "no such setting",
			hint: "there are " + boardKeys[section],
		}
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		return &ProfileError{
			File: file, Line: line, Column: column, Key: strings.Join(wrong.Key(), "."),
			Problem: strings.TrimPrefix(wrong.Error(), "toml: "),
		}
	}
	return &ProfileError{File: file, Problem: err.Error()}
}

// profileChecker finds the first value that can't be.
type profileChecker struct {
	file string
	err  error
}

func (c *profileChecker) that(ok bool, key, problem string) {
	if !ok && c.err == nil {
		c.err = &ProfileError{File: c.file, Key: key, Problem: problem}
	}
}

func (c *profileChecker) gauge(b batteryFile) GaugeAt {
	chip, known := ChipNamed(b.Chip)
	var names []string
	for _, chip := range GaugeChips() {
		names = append(names, chip.name)
	}
	c.that(known, "battery.chip", "want one of "+strings.Join(names, ", "))
	c.that(b.Bus != "" && len(b.Bus) <= maxText, "battery.bus", `want a bus, such as "/dev/i2c-1", or its adapter's name`)
	// Those below 0x08 and above 0x77 are the bus's own (I²C specification UM10204, clause 3.1.12).
	c.that(b.Address == 0 || b.Address >= 0x08 && b.Address <= 0x77, "battery.address", "want 0x08 to 0x77")
	c.that(len(b.Name) <= maxText-len(batteryPrefix), "battery.name", "want up to 56 characters")
	return GaugeAt{Name: b.Name, Chip: chip, Bus: b.Bus, Address: uint16(b.Address)}
}

// apart checks that a gauge is none of the others, and has a name of its own.
func (c *profileChecker) apart(others []GaugeAt, g GaugeAt) {
	address := func(g GaugeAt) uint16 { return cmp.Or(g.Address, g.Chip.address) }
	for _, other := range others {
		c.that(other.Bus != g.Bus || address(other) != address(g), "battery.address",
			fmt.Sprintf("another gauge is at 0x%02x of that bus", address(g)))
		c.that(other.Name != g.Name || g.Name == "", "battery.name", fmt.Sprintf("another gauge is called %q", g.Name))
	}
}

func (c *profileChecker) pin(section string, f *pinFile) *Pin {
	if f == nil {
		return nil
	}
	p := Pin{Chip: f.Chip, Line: f.Line, ActiveLow: f.Active == "low"}
	c.that(f.Line != "", section+".line", "want the line's name or its number on the chip")
	_, numbered := lineNumber(f.Line)
	c.that(f.Chip != "" || !numbered, section+".chip", "want the chip's name, label or device: a number alone is of no chip")
	c.that(slices.Contains([]string{"", "high", "low"}, f.Active), section+".active", `want "high" or "low"`)
	pulls := map[string]Pull{"": PullAsIs, "as-is": PullAsIs, "up": PullUp, "down": PullDown, "off": PullOff}
	pull, known := pulls[f.Pull]
	c.that(known, section+".pull", `want "as-is", "up", "down" or "off"`)
	p.Pull = pull
	if f.Debounce != "" {
		d, err := time.ParseDuration(f.Debounce)
		c.that(err == nil && d >= time.Millisecond && d <= time.Second, section+".debounce", "want 1ms to 1s")
		p.Debounce = d
	}
	return &p
}

func (c *profileChecker) modem(f modemFile) (port string, baud int, profile string) {
	port = f.Port
	c.that(port == ModemAuto || port == ModemOff || strings.HasPrefix(port, "/"), "modem.port", `want a path, "auto" or "off"`)
	c.that(f.Baud == 0 || f.Baud >= 1200 && f.Baud <= 4_000_000, "modem.baud", "want 1200 to 4000000")
	if f.Profile != "" {
		_, known := cellular.ProfileNamed(f.Profile)
		c.that(known, "modem.profile", "no such profile of a modem")
	}
	return port, int(f.Baud), f.Profile
}
