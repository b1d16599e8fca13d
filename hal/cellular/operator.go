package cellular

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Operator is the network that a modem is registered with.
type Operator struct {
	Name string // as the network calls itself, at most 64 characters. Empty means unknown
	Code string // mobile country and network code: 5 or 6 digits. Empty means unknown
}

// Cell is the cell that serves a modem, as far as an answer tells that is not about registration.
type Cell struct {
	PhysicalID *uint32 // 0 to 1007
	Channel    *uint32 // (E)ARFCN, 0 to 3,279,165
	Band       *uint32 // 1 to 512
	Area       *uint32 // tracking area code, 1 to 2^24-1
	ID         *uint64 // 0 to 2^36-1
}

// TakeCOPS takes in the answer to AT+COPS?, 3GPP TS 27.007 clause 7.3: mode, format, operator, access technology.
func (r *Reading) TakeCOPS(line string) {
	v, ok := values(line, "+COPS:")
	if !ok {
		return
	}
	r.keep([]string{line})
	if len(v) == 1 {
		return // none
	}
	format, text := v[1].text, at(v, 2).text
	switch {
	case len(v) > 4 || len(format) != 1 || strings.Trim(format, "012") != "" || strings.Contains(text, `"`) ||
		strings.Count(line, `"`)%2 != 0 || strings.ContainsFunc(line, unicode.IsControl) || format == "2" && text != "" && !isCode(text):
		r.doubt("COPS", "operator", join(v))
		return
	case isCode(text):
		r.Operator.Code = text
	case text != "":
		name := strings.TrimSpace(fromUCS2(text))
		r.Operator.Name = printable(name, maxName)
		if !strings.HasPrefix(name, r.Operator.Name) {
			r.doubt("COPS", "operator", name)
		}
	}
	if access := at(v, 3); access.text != "" {
		setOnce(&r.Access, access.small(maxAccess))
	}
}

// isCode reports whether a text is a mobile country code and a network code.
func isCode(text string) bool { return isDigits(text) && (len(text) == 5 || len(text) == 6) }

// setCode sets the operator's code from its two halves, unless it is known.
func (r *Reading) setCode(country, network string) {
	if len(network) == 1 {
		network = "0" + network
	}
	if code := country + network; r.Operator.Code == "" && len(country) == 3 && isCode(code) {
		r.Operator.Code = code
	}
}

// fromUCS2 returns what a text says that is UCS-2 in hexadecimal, as modems write names after AT+CSCS="UCS2". A text that
// is anything else is returned as it is.
func fromUCS2(text string) string {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) < 4 || len(b)%2 != 0 {
		return text
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	runes := utf16.Decode(units)
	for _, c := range runes {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return text
		}
	}
	return string(runes)
}

// TakeCFUN takes in the answer to AT+CFUN?, 3GPP TS 27.007 clause 8.2. u-blox says 19 for 4 (UBX-13002752).
func (r *Reading) TakeCFUN(line string) {
	v, ok := values(line, "+CFUN:")
	if !ok {
		return
	}
	switch v[0].text {
	case "1":
		r.Radio = new(true)
	case "0", "4", "19":
		r.Radio = new(false)
	}
}
