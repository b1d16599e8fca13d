package pci

// decodedLen is how many decoded bytes are looked at in one go; longer words are looked at in overlapping pieces.
const decodedLen = 192

// overlap is more than a track's number takes in UTF-16 with separators.
const overlap = 96

// scanHex looks into words of hexadecimal digits: text behind them, and EMV data objects. A word may have one digit too
// many at its start, so both ways to pair the digits are tried. Packed digits need no decoding to be seen.
func scanHex[T text](s T) finding {
	found := nothing
	for from := 0; from < len(s); {
		to := from
		for to < len(s) && hexValue(s[to]) != 0xFF {
			to++
		}
		if to-from >= 2*(2+shortestFreePAN/2) { // tag, length, packed digits
			found = max(found, scanHexWord(s[from:to]), scanHexWord(s[from+1:to]))
		}
		from = to + 1
	}
	return found
}

func scanHexWord[T text](word T) finding {
	found := nothing
	for {
		var buf [decodedLen]byte
		n := min(len(word)/2, len(buf))
		for i := range n {
			buf[i] = hexValue(word[2*i])<<4 | hexValue(word[2*i+1])
		}
		found = max(found, scanDecoded(buf[:n]))
		if n < len(buf) {
			return found
		}
		word = word[2*(decodedLen-overlap):]
	}
}

// shortestBase64 is how many characters of base64 the shortest packed card number takes with its tag and length.
const shortestBase64 = ((2+shortestFreePAN/2)*8 + 5) / 6

// scanBase64 looks into words of base64, standard or URL-safe (RFC 4648), padded or not. Where a word really begins
// can't be told, so all four ways are tried when there may be digits in it.
func scanBase64[T text](s T) finding {
	found := nothing
	for from := 0; from < len(s); {
		to := from
		for to < len(s) && classes[s[to]]&classWord != 0 {
			to++
		}
		ways := 1
		if mayBeDigits(s[from:to]) {
			ways = 4
		}
		for skip := 0; skip < ways && to-from-skip >= shortestBase64; skip++ {
			found = max(found, scanBase64Word(s[from+skip:to]))
		}
		from = to + 1
	}
	return found
}

// mayBeDigits reports whether a word of base64 has enough of the characters that each three digits and separators begin
// with: M, N or O for a digit, I or L for a space, a dash or a dot, C or D for the ends of lines and tabs.
func mayBeDigits[T text](word T) bool {
	const fewest = (shortestFreePAN - 2) / 3
	tells := 0
	for i := range len(word) {
		switch word[i] {
		case 'M', 'N', 'O', 'I', 'L', 'C', 'D':
			tells++
		}
	}
	return tells >= fewest
}

func scanBase64Word[T text](word T) finding {
	found := nothing
	for {
		var buf [decodedLen]byte
		n, read, acc := 0, 0, uint32(0)
		for n < len(buf) && read < len(word) {
			acc = acc<<6 | uint32(base64Values[word[read]])
			read++
			if read%4 != 1 {
				buf[n] = byte(acc >> (6 - 2*((read-1)%4)))
				n++
			}
		}
		found = max(found, scanDecoded(buf[:n]))
		if n < len(buf) {
			return found
		}
		word = word[(decodedLen-overlap)/3*4:]
	}
}

// scanDecoded looks at what was encoded: characters and EMV data objects, and no further level.
func scanDecoded(b []byte) finding {
	digits := 0
	for _, v := range b {
		if v-'0' <= 9 {
			digits++
		}
	}
	found := scanTLV(b)
	if digits >= shortestPAN {
		found = max(found, scanPlain(b))
	}
	return found
}

// base64Values is the value of each character of either alphabet.
var base64Values = func() (table [256]byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for value, c := range alphabet {
		table[c] = byte(value)
	}
	table['+'], table['-'] = 62, 62
	table['/'], table['_'] = 63, 63
	return table
}()
