package pci

import "strconv"

// scanText returns the kind of the first card number in s, or "".
func scanText(s string) string {
	if len(s) < 14 {
		return ""
	}
	run := make([]byte, 0, 19)
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] >= '0' && s[i] <= '9':
			run = append(run, s[i])
			continue
		case i+1 < len(s) && (s[i] == ' ' || s[i] == '-' || s[i] == '.') && len(run) > 0:
			continue
		}
		if isPAN(run) {
			return KindPAN
		}
		run = run[:0]
	}
	return ""
}

func scanUint(n uint64) string {
	if isPAN(strconv.AppendUint(nil, n, 10)) {
		return KindPAN
	}
	return ""
}

// isPAN reports whether digits have the length and the check digit (ISO/IEC 7812-1) of a card number.
func isPAN(digits []byte) bool {
	if len(digits) < 14 || len(digits) > 19 {
		return false
	}
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && sum > 0
}
