package cellular

import (
	"slices"
	"strings"
)

// Registration states, <stat> of 3GPP TS 27.007 clause 10.1.22.
const (
	Idle           = 0
	Home           = 1
	Searching      = 2
	Denied         = 3
	UnknownState   = 4
	Roaming        = 5
	HomeSMS        = 6
	RoamingSMS     = 7
	EmergencyOnly  = 8
	HomeNoCSFB     = 9
	RoamingNoCSFB  = 10
	EmergencyRLOS  = 11
	maxState       = EmergencyRLOS
	maxAccess      = 13        // EN-DC
	maxArea        = 1<<24 - 1 // 5GS tracking area code
	maxCell        = 1<<36 - 1 // NR cell identity
	maxEUTRANCell  = 1<<28 - 1
	noArea         = 0xFFFE // reserved: no valid area (3GPP TS 23.003 clause 4.1)
	accessEUTRAN   = 7
	accessEUTRANNB = 9
)

// Domain is one of the networks that a modem registers with, by the command that tells of it.
type Domain string

// The domains, in the order in which they are asked for and believed.
const (
	EPS Domain = "CEREG"  // LTE
	PS  Domain = "CGREG"  // packets over GSM and UMTS
	NR5 Domain = "C5GREG" // 5G
	CS  Domain = "CREG"   // calls: being registered here alone means that no data goes
)

// Domains returns the domains in the order in which they are believed.
func Domains() []Domain { return []Domain{EPS, PS, NR5, CS} }

// Registration is what a modem says of its registration with one network.
type Registration struct {
	Domain    Domain
	State     uint32  // 0 to 11
	Area      *uint32 // location or tracking area code, 1 to 2^24-1. Nil means unknown
	Cell      *uint64 // 0 to 2^36-1. Nil means unknown
	Access    *uint32 // <AcT> of 3GPP TS 27.007, 0 to 13. Nil means unknown
	Solicited bool    // the answer to a question, with <n> in front
}

// Registered reports whether data can go.
func (r Registration) Registered() bool {
	switch r.State {
	case Home, Roaming, HomeNoCSFB, RoamingNoCSFB:
		return true
	}
	return false
}

// ParseRegistration returns what a line says of the registration, as an answer
//
//	+CEREG: <n>,<stat>[,<tac>,[<rac>,]<ci>[,<AcT>[,…]]]
//
// or by itself, without <n>. ok is false when it is no such line, or its state is none that there is. Which of the two a
// line is shows in its second value: a state is a number of one or two digits without quotes, and an area code is longer,
// or in quotes, or empty.
func ParseRegistration(line string) (r Registration, ok bool) {
	name, rest, found := strings.Cut(strings.TrimSpace(line), ":")
	r.Domain = Domain(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "+"))
	if !found || !strings.HasPrefix(name, "+") || !slices.Contains(Domains(), r.Domain) {
		return Registration{}, false
	}
	v := split(rest)
	if r.Solicited = solicited(v); r.Solicited {
		v = v[1:]
	}
	state := stateOf(v[0])
	if state == nil {
		return Registration{}, false
	}
	r.State = *state
	r.place(v[1:])
	return r, true
}

// solicited reports whether the first value is <n>.
func solicited(v []value) bool {
	if len(v) < 2 || v[0].quoted || v[0].small(9) == nil || stateOf(v[1]) == nil || v[1].quoted {
		return false
	}
	// Iridium fills all numbers up with zeros: 002,001. Else four digits are an area code.
	filled := len(v[0].text) > 2
	return len(v) == 2 || len(v[1].text) <= 2 || filled
}

// stateOf returns the state that a value is.
func stateOf(v value) *uint32 {
	if v.quoted || !isDigits(v.text) {
		return nil
	}
	return v.small(maxState)
}

// place takes in the values after the state.
func (r *Registration) place(v []value) {
	area, cell, access := at(v, 0), at(v, 1), at(v, 2)
	// 3GPP TS 27.007 v8.6 has the routing area between the two: 2CA8,20,B5583D,7.
	if r.Domain == EPS && len(v) >= 4 && len(cell.text) <= 2 && len(access.text) > 2 && isHex(access.text) {
		cell, access = access, at(v, 3)
	}
	if misplaced(area, cell) {
		return
	}
	if isDigits(access.text) && !access.quoted {
		r.Access = access.small(maxAccess)
	}
	if a := area.hex(maxArea); a != nil && *a != 0 && *a != noArea {
		r.Area = new(uint32(*a))
	}
	c := cell.hex(maxCell)
	switch {
	case c == nil || *c == 0 && r.Area == nil || *c == 1<<32-1:
	case (r.Domain == EPS || r.Access != nil && (*r.Access == accessEUTRAN || *r.Access == accessEUTRANNB)) && *c > maxEUTRANCell:
	default:
		r.Cell = c
	}
}

// misplaced reports whether a comma was lost or doubled before the cell: a cell without an area, or an area that is none. A
// space within an area is known of Gobi 1000.
func misplaced(area, cell value) bool {
	const digits = 6
	return area.text == "" && cell.text != "" || len(area.text) > digits && area.hex(maxArea) == nil ||
		strings.Trim(strings.TrimPrefix(strings.ToLower(area.text), "0x"), "0123456789abcdef ") != ""
}

// Registrations is what is known of each domain.
type Registrations []Registration

// Set keeps what was said last of a domain.
func (rs *Registrations) Set(r Registration) {
	for i := range *rs {
		if (*rs)[i].Domain == r.Domain {
			(*rs)[i] = r
			return
		}
	}
	*rs = append(*rs, r)
}

// Best returns the registration to go by: the first, in the order of Domains, over which data can go; without one the
// first that says more than "idle" or "unknown"; else the first. nil when there is none at all.
func (rs Registrations) Best() *Registration {
	tests := []func(Registration) bool{
		Registration.Registered,
		func(r Registration) bool { return r.State != Idle && r.State != UnknownState },
		func(r Registration) bool { return r.State == Idle },
		func(Registration) bool { return true },
	}
	for _, wanted := range tests {
		for _, d := range Domains() {
			for _, r := range rs {
				if r.Domain == d && wanted(r) {
					return &r
				}
			}
		}
	}
	return nil
}

// RegistrationQuery returns the question for a domain. What the modem says by itself meanwhile is no answer to it.
func RegistrationQuery(d Domain) Query {
	prefix := "+" + string(d) + ":"
	return Query{
		Text:   "AT+" + string(d) + "?",
		Prefix: prefix,
		Mine:   isSolicited,
		Take: func(r *Reading, lines []string) {
			r.keep(lines)
			for _, line := range lines {
				if reg, ok := ParseRegistration(line); ok && reg.Domain == d {
					r.Registrations.Set(reg)
				} else {
					r.doubt(string(d), "registration", strings.TrimPrefix(line, prefix))
				}
			}
		},
	}
}

// isSolicited reports whether a line is an answer. One that can't be read is taken for one, so that it is told of.
func isSolicited(line string) bool {
	r, ok := ParseRegistration(line)
	return !ok || r.Solicited
}
