package packing

import (
	"bytes"
	"encoding/hex"
	"slices"
)

// A UUID as text (RFC 9562, section 4), which is what POS apps take for keys, has 36 bytes for 16.
const (
	uuidText  = 36
	uuidBytes = 16
)

// dashes are the places of a UUID's dashes.
var dashes = [4]int{8, 13, 18, 23}

// findUUID returns where the first UUID in b begins, in lower-case hex as it is mostly written, and its 16 bytes.
func findUUID(b []byte) (at int, id [uuidBytes]byte, ok bool) {
	for from := dashes[0]; from < len(b); from++ {
		next := bytes.IndexByte(b[from:], '-')
		if next < 0 {
			break
		}
		from += next
		at = from - dashes[0]
		if at+uuidText > len(b) {
			break
		}
		if id, ok = parseUUID(b[at : at+uuidText]); ok {
			return at, id, true
		}
	}
	return 0, id, false
}

// parseUUID reads exactly what formatUUID writes.
func parseUUID(text []byte) (id [uuidBytes]byte, ok bool) {
	var digits [2 * uuidBytes]byte
	n := 0
	for i, c := range text {
		switch {
		case slices.Contains(dashes[:], i):
			if c != '-' {
				return id, false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
			digits[n] = c
			n++
		default:
			return id, false
		}
	}
	_, err := hex.Decode(id[:], digits[:])
	return id, err == nil
}

// formatUUID appends a UUID as text.
func formatUUID(b []byte, id [uuidBytes]byte) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}
