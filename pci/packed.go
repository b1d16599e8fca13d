package pci

// scanPacked reads bytes as two digits each (BCD): card numbers bounded by a nibble that is no digit, and track 2 as a
// chip writes it.
func scanPacked(b []byte) finding {
	const fewest = shortestPAN / 2 // whole bytes of two digits in a row
	inRow := 0
	for _, v := range b {
		if v > 0x99 || v&0x0F > 9 {
			inRow = 0
			continue
		}
		if inRow++; inRow == fewest {
			var c chain
			feedNibbles(&c, b)
			return c.end()
		}
	}
	return nothing
}

// scanUnpacked reads bytes as one digit each: binary 0 to 9, or EBCDIC 0xF0 to 0xF9.
func scanUnpacked(b []byte) finding {
	digits := 0
	for _, v := range b {
		if isUnpacked(v) {
			digits++
		}
	}
	if digits < shortestPAN {
		return nothing
	}
	var c chain
	for _, v := range b {
		if isUnpacked(v) {
			c.feed('0' + v&0x0F)
		} else {
			c.feed('x')
		}
	}
	return c.end()
}

func isUnpacked(b byte) bool { return b <= 9 || b >= 0xF0 && b <= 0xF9 }

// scanTLV looks into the EMV data objects that hold a card number, whatever digits stand around them: 5A (number),
// 57 and 9F6B (track 2, with its separator). EMV Book 3, annex A; lengths there: at most 10 and 19 bytes.
func scanTLV(b []byte) finding {
	const longest = 19
	found := nothing
	for i := 0; i+2 < len(b); i++ {
		at, least := i+1, track2
		switch {
		case b[i] == 0x5A:
			least = pan
		case b[i] == 0x57:
		case b[i] == 0x9F && b[i+1] == 0x6B:
			at++
		default:
			continue
		}
		size := int(b[at])
		if size < shortestFreePAN/2 || size > longest || at+1+size > len(b) {
			continue
		}
		var c chain
		feedNibbles(&c, b[at+1:at+1+size])
		if f := c.end(); f >= least {
			found = max(found, f)
		}
	}
	return found
}

// feedNibbles feeds every nibble of b to c as the hexadecimal digit that it is.
func feedNibbles(c *chain, b []byte) {
	const hexDigits = "0123456789ABCDEF"
	for _, v := range b {
		c.feed(hexDigits[v>>4])
		c.feed(hexDigits[v&0x0F])
	}
}
