package pci

import (
	"unicode"
	"unicode/utf8"
)

// fold says what a character of text counts as: an ASCII digit for every digit of every script, [separator], [point],
// [ignored], itself, or 'x' for all others.
func fold(r rune) byte {
	switch {
	case r < utf8.RuneSelf:
		return foldedASCII[r]
	case r == 0xAD, r == 0xFEFF, r >= 0x200B && r <= 0x200D, r == 0x2060:
		// Soft hyphen, byte order mark, zero-width spaces and joiners: nothing to be seen.
		return ignored
	case unicode.Is(unicode.Zs, r), unicode.Is(unicode.Pd, r), r == 0x2212:
		// Spaces, dashes, minus sign.
		return separator
	case r == 0xFF0E:
		// Full-width full stop.
		return point
	}
	if d, ok := decimal(r); ok {
		return '0' + d
	}
	return 'x'
}

// foldedASCII is what [fold] says of ASCII.
var foldedASCII = func() (table [utf8.RuneSelf]byte) {
	for c := range table {
		table[c] = byte(c)
	}
	for _, c := range "-\t\n\r/_," {
		table[c] = separator
	}
	return table
}()

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
