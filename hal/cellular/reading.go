package cellular

import (
	"slices"
	"time"
)

// Reading is what a modem said. Each part is filled in by the first answer that knows it.
type Reading struct {
	Maker, Model, Firmware string // as the modem writes them

	SIM   SIM
	ICCID string // of the SIM: 18 to 20 digits, some of them hexadecimal. Empty means unknown
	IMEI  string // of the modem: 15 digits. Empty means unknown

	Radio         *bool         // whether it may send. Nil means unknown
	Registrations Registrations // with each of the modem's networks
	Operator      Operator
	Access        *uint32 // <AcT> of 3GPP TS 27.007 clause 7.3, 0 to 13, from another answer than a registration
	Cell          Cell
	Signal        Signal

	Temperature *int32 // tenths of a degree Celsius
	Clock       *Clock // of the network

	// Doubts are values that were not believed, and are unknown therefore.
	Doubts []Doubt
	// Raw are the answers that signal, registration and operator were taken from, as the modem wrote them. No identifier
	// of the modem or its SIM is in them.
	Raw []string
}

// Clock is the time of the network at the moment of the answer.
type Clock struct {
	// Time is the time. It is in UTC when Offset is nil, and then it may be local time as well: the modem does not say.
	Time time.Time
	// Offset is the zone of the terminal's place, east of Greenwich. Nil means unknown.
	Offset *time.Duration
}

// Doubt is a value that can't be.
type Doubt struct {
	Source string // the command that it came from, without AT+
	Name   string // what it should have been: "rssi"
	Raw    string // as the modem wrote it, at most 24 characters
}

// String returns "QCSQ rssi=85".
func (d Doubt) String() string { return d.Source + " " + d.Name + "=" + d.Raw }

const (
	maxDoubts   = 16
	maxDoubtRaw = 24
	maxRaw      = 24
	maxRawLine  = 200
)

// doubt notes a value that is not believed.
func (r *Reading) doubt(source, name, raw string) {
	d := Doubt{Source: source, Name: name, Raw: printable(raw, maxDoubtRaw)}
	if len(r.Doubts) < maxDoubts && !slices.Contains(r.Doubts, d) {
		r.Doubts = append(r.Doubts, d)
	}
}

// keep keeps answers as they are.
func (r *Reading) keep(lines []string) {
	for _, line := range lines {
		if len(r.Raw) < maxRaw {
			r.Raw = append(r.Raw, printable(line, maxRawLine))
		}
	}
}

// setOnce sets what is still unknown.
func setOnce[T any](to **T, value *T) {
	if *to == nil {
		*to = value
	}
}
