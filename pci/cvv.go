package pci

// shortestCVV is the length of "cvv:123".
const shortestCVV = 7

// scanCVV looks for a card verification code behind its label: cvv, cvv2, cvc, cvc2, csc or cav2, then "=" or ":",
// then 3 or 4 digits. Without a label nothing tells the code from any other number.
func scanCVV[T text](s T) finding {
	for i := 0; i+shortestCVV <= len(s); i++ {
		if lower(s[i]) != 'c' || i > 0 && isAlnum(s[i-1]) || !isCVVLabel(s, i) {
			continue
		}
		j := i + 3
		if s[j] == '2' {
			j++
		}
		assigned := false
		for j < len(s) && (s[j] == ' ' || s[j] == '"' || s[j] == '\'' || s[j] == '=' || s[j] == ':') {
			assigned = assigned || s[j] == '=' || s[j] == ':'
			j++
		}
		digits := 0
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			digits++
			j++
		}
		if assigned && (digits == 3 || digits == 4) && (j == len(s) || !isAlnum(s[j])) {
			return cvv
		}
	}
	return nothing
}

// isCVVLabel reports whether the three letters at i, the first of them a "c", are a label.
func isCVVLabel[T text](s T, i int) bool {
	switch second, third := lower(s[i+1]), lower(s[i+2]); second {
	case 'v':
		return third == 'v' || third == 'c'
	case 's':
		return third == 'c'
	case 'a':
		return third == 'v'
	}
	return false
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func isAlnum(b byte) bool {
	b = lower(b)
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z'
}
