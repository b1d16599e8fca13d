package pci

// luhn reports whether the last of the digits is the check digit of those before it (ISO/IEC 7812-1, annex B).
func luhn(digits []byte) bool {
	const doubled = "0246813579" // the sum of the digits of twice the digit
	sum := 0
	for i := len(digits) - 1; i >= 0; i -= 2 {
		sum += int(digits[i] - '0')
		if i > 0 {
			sum += int(doubled[digits[i-1]-'0'] - '0')
		}
	}
	return sum%10 == 0
}
