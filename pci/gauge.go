package pci

// gauge is what one quick look at a text tells about what can't be in it.
type gauge struct {
	digits int  // characters that are, or may be part of, a digit
	base64 bool // there is a word that is long enough for a card number in base64
	escape bool // there is a character that escapes begin with
	c      bool // there is a letter that the labels of verification codes begin with
}

// Classes of bytes.
const (
	classDigit  = 1 << 0 // ASCII digit, or part of a character outside ASCII
	classWord   = 1 << 1 // alphabet of base64, both kinds (RFC 4648)
	classEscape = 1 << 2 // first character of an escape
	classC      = 1 << 3 // first letter of the labels of card verification codes
)

// classes says which classes each byte is in.
var classes = func() (table [256]uint8) {
	for c := range table {
		switch {
		case c >= '0' && c <= '9':
			table[c] = classDigit | classWord
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '+', c == '/', c == '-', c == '_':
			table[c] = classWord
		case c >= 0x80:
			table[c] = classDigit
		}
	}
	table['\\'] |= classEscape
	table['%'] |= classEscape
	table['&'] |= classEscape
	table['c'] |= classC
	table['C'] |= classC
	return table
}()

// measure looks at each byte of s once.
func measure[T text](s T) (g gauge) {
	word, seen := 0, uint8(0)
	for i := range len(s) {
		class := classes[s[i]]
		g.digits += int(class & classDigit)
		seen |= class
		if class&classWord == 0 {
			word = 0
			continue
		}
		word++
		g.base64 = g.base64 || word >= shortestBase64
	}
	g.escape = seen&classEscape != 0
	g.c = seen&classC != 0
	return g
}
