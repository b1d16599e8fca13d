package cellular

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// value is one value of an answer.
type value struct {
	text   string // without quotes, and without the white space around it
	quoted bool
}

// values returns the values of a line that begins with the prefix ("+CSQ:", in capitals or not).
func values(line, prefix string) ([]value, bool) {
	line = strings.TrimSpace(line)
	if len(line) < len(prefix) || !strings.EqualFold(line[:len(prefix)], prefix) {
		return nil, false
	}
	return split(line[len(prefix):]), true
}

// split cuts a text at the commas that are outside quotes. A quote that is not closed goes to the end.
func split(text string) []value {
	var list []value
	quoted, start := false, 0
	for i := range len(text) + 1 {
		switch {
		case i < len(text) && text[i] == '"':
			quoted = !quoted
		case i == len(text) || text[i] == ',' && !quoted:
			list = append(list, newValue(text[start:i]))
			start = i + 1
		}
	}
	return list
}

func newValue(text string) value {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, `"`) {
		if len(text) > 1 && strings.HasSuffix(text, `"`) {
			text = strings.TrimSpace(strings.Trim(text, `"`))
		}
		return value{text: text, quoted: true} // with its quote when that is not closed: it is no number then
	}
	return value{text: text}
}

// at returns the i-th value, or an empty one.
func at(list []value, i int) value {
	if i < 0 || i >= len(list) {
		return value{}
	}
	return list[i]
}

// number returns the decimal number that a value is.
func (v value) number() (int64, bool) {
	n, err := strconv.ParseInt(v.text, 10, 32)
	return n, err == nil
}

// tenths returns ten times the decimal number that a value is, which may have one decimal: SIMCom writes "8.5".
func (v value) tenths() (int64, bool) {
	whole, decimal, _ := strings.Cut(v.text, ".")
	if decimal == "" {
		decimal = "0"
	}
	if !isDigits(strings.TrimPrefix(whole, "-")) || len(decimal) != 1 || !isDigits(decimal) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+decimal, 10, 64)
	return n, err == nil
}

// small returns the decimal number that a value is, up to most.
func (v value) small(most uint32) *uint32 {
	n, ok := v.number()
	if !ok || n < 0 || n > int64(most) {
		return nil
	}
	return new(uint32(n))
}

// large returns the decimal number that a value is, up to most.
func (v value) large(most uint64) *uint64 {
	n, err := strconv.ParseUint(v.text, 10, 64)
	if err != nil || n > most {
		return nil
	}
	return &n
}

// hex returns the hexadecimal number that a value is, up to most.
func (v value) hex(most uint64) *uint64 {
	text := strings.TrimPrefix(strings.ToLower(v.text), "0x")
	n, err := strconv.ParseUint(text, 16, 64)
	if err != nil || n > most {
		return nil
	}
	return &n
}

// isDigits reports whether a text is decimal digits, at least one.
func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// isHex reports whether a text is hexadecimal digits, at least one.
func isHex(text string) bool {
	return text != "" && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// printable returns the start of a text that is fit for people: at most n characters, those that can't be printed as '?'.
func printable(text string, n int) string {
	var b strings.Builder
	for _, r := range text {
		if n--; n < 0 {
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
