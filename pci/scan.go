package pci

import (
	"strconv"
	"unicode/utf8"
)

// text is what can be scanned without a copy.
type text interface{ ~string | ~[]byte }

// scanText looks for cardholder data in the characters of s: as they are, behind escapes, and one level deep in
// hexadecimal and base64. It allocates nothing.
func scanText[T text](s T) finding {
	if len(s) < shortestCVV {
		return nothing
	}
	g := measure(s)
	found := nothing
	if g.digits >= shortestPAN {
		if found = scanPlain(s); found != nothing {
			found = scanBetweenIDs(s)
		}
		if g.escape {
			found = max(found, scanEscaped(s))
		}
		if found < pan {
			found = max(found, scanHex(s))
		}
	}
	if g.base64 {
		found = max(found, scanBase64(s))
	}
	if g.c && g.digits >= 3 {
		found = max(found, scanCVV(s))
	}
	return found
}

// scanBytes looks for cardholder data in bytes that may be text, packed digits or EMV data. It allocates nothing.
func scanBytes(b []byte) finding {
	if len(b) >= 3 && b[0] == 0x1F && b[1] == 0x8B && b[2] == 0x08 {
		return uncheckable // gzip (RFC 1952): nobody has looked into it
	}
	return max(scanText(b), scanPacked(b), scanUnpacked(b), scanTLV(b))
}

// scanUint looks at a number as it is written in decimal.
func scanUint(n uint64) finding {
	const least = 1e12 // the smallest number of 13 digits
	if n < least {
		return nothing
	}
	var buf [20]byte
	digits := strconv.AppendUint(buf[:0], n, 10)
	if !luhn(digits) {
		return nothing
	}
	return classify(digits)
}

// scanPlain looks at the characters as they are.
func scanPlain[T text](s T) finding {
	var c chain
	feedAll(&c, s)
	return c.end()
}

// feedAll feeds all characters of s to c.
func feedAll[T text](c *chain, s T) {
	for i := 0; i < len(s); {
		i += feedOne(c, s, i)
	}
}

// feedOne feeds the character at s[i] to c, and returns how many bytes it takes.
func feedOne[T text](c *chain, s T, i int) int {
	if s[i] < utf8.RuneSelf {
		c.feed(foldedASCII[s[i]])
		return 1
	}
	r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
	if r == utf8.RuneError && size == 1 {
		// Not UTF-8: perhaps Latin-1, of which only the no-break space matters.
		r = rune(s[i])
	}
	c.feed(fold(r))
	return size
}
