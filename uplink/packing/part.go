package packing

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// part is a piece of a record that is shorter as a number than as the text that it is: a UUID, or a run of decimal digits.
type part struct {
	at, size int // of the text
}

const (
	uuidText  = 36
	uuidBytes = 16
	// minDigits is the shortest run of digits that is worth it, and maxDigits the longest whose number has 64 bits.
	minDigits = 4
	maxDigits = 18
)

// known reports whether there are parts of that size.
func known(size int) bool { return size == uuidText || size >= minDigits && size <= maxDigits }

// width returns how many bytes the number has: as many as the largest of its size needs, so that zeros in front are kept.
func (p part) width() int {
	if p.size == uuidText {
		return uuidBytes
	}
	largest := uint64(1)
	for range p.size {
		largest *= 10
	}
	return (bits.Len64(largest-1) + 7) / 8
}

// partsOf finds the parts of a record, from left to right.
func partsOf(record []byte) []part {
	var parts []part
	for i := 0; i < len(record); {
		size := 0
		if i+uuidText <= len(record) && isUUID(record[i:i+uuidText]) {
			size = uuidText
		} else {
			for i+size < len(record) && size < maxDigits && isDigit(record[i+size]) {
				size++
			}
		}
		if known(size) {
			parts = append(parts, part{i, size})
		}
		i += max(size, 1)
	}
	return parts
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// dashes are the places of the dashes in a UUID (RFC 9562, section 4).
var dashes = [...]int{8, 13, 18, 23}

// isUUID reports whether text is a UUID in lower case, as it is mostly written.
func isUUID(text []byte) bool {
	if text[dashes[0]] != '-' {
		return false // nearly always, and quickly
	}
	for i, c := range text {
		if slices.Contains(dashes[:], i) != (c == '-') {
			return false
		}
		if c != '-' && !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// appendNumber appends the number of a part.
func appendNumber(b, text []byte) []byte {
	if len(text) == uuidText {
		var half byte
		odd := false
		for _, c := range text {
			if c == '-' {
				continue
			}
			v := c - '0'
			if !isDigit(c) {
				v = c - 'a' + 10
			}
			if odd {
				b = append(b, half<<4|v)
			}
			half, odd = v, !odd
		}
		return b
	}
	n := uint64(0)
	for _, c := range text {
		n = n*10 + uint64(c-'0')
	}
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], n)
	return append(b, all[8-(part{size: len(text)}).width():]...)
}

// putText writes the text of a part, of which b has the size. It returns false for a number that has no such text.
func putText(b, number []byte) bool {
	if len(b) == uuidText {
		const hex = "0123456789abcdef"
		at := 0
		for _, n := range number {
			if slices.Contains(dashes[:], at) {
				b[at] = '-'
				at++
			}
			b[at], b[at+1] = hex[n>>4], hex[n&15]
			at += 2
		}
		return true
	}
	var all [8]byte
	copy(all[8-len(number):], number)
	n := binary.BigEndian.Uint64(all[:])
	for i := range b {
		b[len(b)-1-i] = byte('0' + n%10)
		n /= 10
	}
	return n == 0
}
