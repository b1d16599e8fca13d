package cellular

import (
	"strings"
	"time"
)

// Query is one question to a modem.
type Query struct {
	Text    string                 // the command
	Prefix  string                 // what the lines of its answer begin with; empty means anything
	Mine    func(line string) bool // tells a line of the answer from one that comes by itself; nil means all are
	Timeout time.Duration          // zero means as long as commands take that ask no network
	// Take takes in the lines of the answer. It is not called when the modem refuses.
	Take func(r *Reading, lines []string)
}

// Profile is what is to be known of the modems of one maker.
type Profile struct {
	Name string // "quectel"

	// makers and models are what AT+CGMI and AT+CGMM answer, in small letters: the maker somewhere in the answer, the
	// model at its start. Models are for modules that call themselves by the maker of their chip.
	makers, models []string

	// Signal are questions for the signal, the best first. Those after it are for what the ones before left unknown.
	Signal []Query
	// ICCID are questions for the number of the SIM, tried until one is answered.
	ICCID []Query
	// Temperature is the question for the modem's temperature. It has no text where there is none.
	Temperature Query

	// access is what the maker means by an <AcT>, where that is not what 3GPP does.
	access map[uint32]uint32
}

// Translate puts 3GPP's <AcT> in the place of those that the maker has given another meaning. It is for when all is asked.
func (p *Profile) Translate(r *Reading) {
	own := []**uint32{&r.Access}
	for i := range r.Registrations {
		own = append(own, &r.Registrations[i].Access)
	}
	for _, access := range own {
		if *access == nil {
			continue
		}
		if means, ok := p.access[**access]; ok {
			*access = &means
		}
	}
}

// profiles returns all profiles. The last fits every modem.
func profiles() []*Profile { return []*Profile{quectel(), simcom(), ublox(), generic()} }

// ProfileOf returns the profile of a modem by what it answers to AT+CGMI and AT+CGMM, the generic one when no other fits.
func ProfileOf(maker, model string) *Profile {
	all := profiles()
	for _, p := range all {
		if p.fits(strings.ToLower(maker), strings.ToLower(model)) {
			return p
		}
	}
	return all[len(all)-1]
}

// ProfileNamed returns the profile with that name.
func ProfileNamed(name string) (*Profile, bool) {
	for _, p := range profiles() {
		if p.Name == name {
			return p, true
		}
	}
	return nil, false
}

func (p *Profile) fits(maker, model string) bool {
	for _, m := range p.makers {
		if strings.Contains(maker, m) {
			return true
		}
	}
	for _, m := range p.models {
		if strings.HasPrefix(model, m) {
			return true
		}
	}
	return false
}

// Setup returns the commands after which a modem tells by itself when its registration changes. They hold until it is
// switched off, and store nothing.
func Setup() []Query {
	var list []Query
	for _, d := range Domains() {
		list = append(list, Query{Text: "AT+" + string(d) + "=2"})
	}
	return list
}

// Identity returns the questions for what stays the same as long as the modem is there.
func Identity() []Query {
	return []Query{
		{Text: "AT+CGMI", Take: func(r *Reading, lines []string) { r.Maker = name(lines, "+CGMI:") }},
		{Text: "AT+CGMM", Take: func(r *Reading, lines []string) { r.Model = name(lines, "+CGMM:") }},
		{Text: "AT+CGMR", Take: func(r *Reading, lines []string) { r.Firmware = name(lines, "+CGMR:", "Revision:") }},
		{Text: "AT+CGSN", Take: takeIMEI},
	}
}

// State returns the questions for what changes, without registration and signal.
func State() []Query {
	return []Query{
		{Text: "AT+CFUN?", Prefix: "+CFUN:", Take: takeEach((*Reading).TakeCFUN)},
		{Text: "AT+COPS?", Prefix: "+COPS:", Timeout: 4 * time.Second, Take: takeEach((*Reading).TakeCOPS)},
		{Text: "AT+CCLK?", Prefix: "+CCLK:", Take: takeEach((*Reading).TakeCCLK)},
	}
}

// maxName is the longest name of a maker, a model or a firmware, in characters.
const maxName = 64

// name returns the first line that is a name, without a prefix.
func name(lines []string, prefixes ...string) string {
	for _, line := range lines {
		for _, p := range prefixes {
			if len(line) >= len(p) && strings.EqualFold(line[:len(p)], p) {
				line = line[len(p):]
			}
		}
		if text := newValue(line).text; text != "" {
			return printable(text, maxName)
		}
	}
	return ""
}
