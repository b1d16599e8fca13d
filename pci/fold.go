package pci

import (
	"unicode"
	"unicode/utf8"
)

// fold says what a character of text counts as: an ASCII digit for every digit of every script, [separator], [ignored],
// itself, or 'x' for all others.
func fold(r rune) byte {
	switch {
	case r < utf8.RuneSelf:
		switch r {
		case '-', '.', '\t', '\n', '\r':
			return separator
		}
		return byte(r)
	case r == 0xAD, r == 0xFEFF, r >= 0x200B && r <= 0x200D, r == 0x2060:
		// Soft hyphen, byte order mark, zero-width spaces and joiners: nothing to be seen.
		return ignored
	case unicode.Is(unicode.Zs, r), unicode.Is(unicode.Pd, r), r == 0x2212, r == 0xFF0E:
		// Spaces, dashes, minus sign, full-width full stop.
		return separator
	}
	if d, ok := decimal(r); ok {
		return '0' + d
	}
	return 'x'
}

// decimal returns the value of a decimal digit. Unicode keeps the ten digits of a script together and in order.
func decimal(r rune) (byte, bool) {
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), r >= rune(t.Lo)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), r >= rune(t.Lo)
		}
	}
	return 0, false
}
