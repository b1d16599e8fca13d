package pci

// scanEscaped looks behind the escapes of JSON (\u0034), URLs (%34) and XML (&#52; &#x34;).
func scanEscaped[T text](s T) finding {
	var c chain
	for i := 0; i < len(s); {
		r, size := unescape(s[i:min(i+longestEscape, len(s))])
		c.feed(fold(r))
		i += size
	}
	return c.end()
}

// longestEscape is the length of &#x000034;
const longestEscape = 10

// unescape returns the first character of s and how many bytes it takes. Bytes of characters outside ASCII are returned
// one by one: behind escapes only ASCII is looked for.
func unescape[T text](s T) (rune, int) {
	switch s[0] {
	case '\\':
		if len(s) >= 6 && (s[1] == 'u' || s[1] == 'U') {
			if r, ok := number(s[2:6], 16); ok {
				return r, 6
			}
		}
	case '%':
		if len(s) >= 3 {
			if r, ok := number(s[1:3], 16); ok {
				return r, 3
			}
		}
	case '&':
		if len(s) < 4 || s[1] != '#' {
			break
		}
		from, base := 2, rune(10)
		if s[2] == 'x' || s[2] == 'X' {
			from, base = 3, 16
		}
		for end := from + 1; end < len(s); end++ {
			if s[end] != ';' {
				continue
			}
			if r, ok := number(s[from:end], base); ok {
				return r, end + 1
			}
		}
	}
	return rune(s[0]), 1
}

// number reads a few digits of a base.
func number[T text](s T, base rune) (n rune, ok bool) {
	for i := range len(s) {
		d := rune(hexValue(s[i]))
		if d >= base {
			return 0, false
		}
		n = n*base + d
	}
	return n, len(s) > 0
}

// hexValue returns the value of a hexadecimal digit, and 0xFF for all else.
func hexValue(b byte) byte { return hexValues[b] }

var hexValues = func() (table [256]byte) {
	for c := range table {
		table[c] = 0xFF
	}
	for value := range 16 {
		table["0123456789abcdef"[value]] = byte(value)
		table["0123456789ABCDEF"[value]] = byte(value)
	}
	return table
}()
