package cellular

import (
	"errors"
	"strings"
)

// errNoIMEI means that a text is no IMEI.
var errNoIMEI = errors.New("not an IMEI")

// ParseIMEI returns the IMEI in a text: 15 digits of which the last checks the others (3GPP TS 23.003 annex B), in
// quotes or not. Numbers are refused that begin as card numbers of 15 digits do: no reporting body has 34, 37 or 21, and
// a modem that was told a card number must not pass it on.
func ParseIMEI(text string) (string, error) {
	id := newValue(text).text
	if len(id) != 15 || !isDigits(id) || !luhn(id) || strings.Count(id, id[:1]) == len(id) {
		return "", errNoIMEI
	}
	switch id[:2] {
	case "34", "37", "21", "18":
		return "", errNoIMEI
	}
	return id, nil
}

// luhn reports whether the last digit checks the others.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

// takeIMEI takes in the answer to AT+CGSN.
func takeIMEI(r *Reading, lines []string) {
	for _, line := range lines {
		if _, rest, ok := strings.Cut(line, ":"); ok {
			line = rest
		}
		if id, err := ParseIMEI(line); err == nil {
			r.IMEI = id
			return
		}
	}
	if len(lines) > 0 {
		r.doubt("CGSN", "imei", "")
	}
}
