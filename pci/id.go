package pci

// scanBetweenIDs looks at the characters as they are, with the ids in s taken out: UUIDs and digests, of which one in 6,600
// and one in 3,300 looks like a card number. It is for texts in which something was found.
func scanBetweenIDs[T text](s T) finding {
	var c chain
	for i := 0; i < len(s); {
		if n := idLen(s, i); n > 0 {
			c.feed('x')
			i += n
			continue
		}
		i += feedOne(&c, s, i)
	}
	return c.end()
}

// idLen returns the length of the id that begins at s[i], or 0. An id stands by itself, is written in one case, and has
// as many letters as chance gives it at least.
func idLen[T text](s T, i int) int {
	if i > 0 && isAlnum(s[i-1]) {
		return 0
	}
	word := hexWord(s, i)
	switch word {
	case 8:
		if !isUUID(s, i) {
			return 0
		}
		word = uuidLen
	case 32, 40, 64, 96, 128: // MD5, SHA-1, SHA-256, SHA-384, SHA-512
	default:
		return 0
	}
	if end := i + word; end < len(s) && isAlnum(s[end]) || !isMixed(s[i:i+word]) {
		return 0
	}
	return word
}

const uuidLen = 36

// isUUID reports whether a UUID (RFC 9562) begins at s[i], by its dashes, its version and its variant.
func isUUID[T text](s T, i int) bool {
	if len(s)-i < uuidLen {
		return false
	}
	at := i
	for _, group := range [...]int{8, 4, 4, 4} {
		if hexWord(s, at) != group || s[at+group] != '-' {
			return false
		}
		at += group + 1
	}
	version, variant := hexValue(s[i+14]), hexValue(s[i+19])
	return hexWord(s, at) == 12 && version >= 1 && version <= 8 && variant >= 8 && variant <= 11
}

// hexWord returns how many hexadecimal digits there are from s[i].
func hexWord[T text](s T, i int) int {
	n := 0
	for i+n < len(s) && hexValue(s[i+n]) != 0xFF {
		n++
	}
	return n
}

// isMixed reports whether at least one in eight characters is a letter, and all letters are of one case. Chance makes
// three in eight of them letters; a card number written among other digits has none.
func isMixed[T text](s T) bool {
	small, capital := 0, 0
	for i := range len(s) {
		switch {
		case s[i] >= 'a':
			small++
		case s[i] >= 'A':
			capital++
		}
	}
	return (small == 0 || capital == 0) && 8*(small+capital) >= len(s)
}
