package pci

// luhn adds up the digits of a number from the last to the first (ISO/IEC 7812-1, annex B).
type luhn struct {
	sum    int
	double bool
}

func (l *luhn) add(digit byte) {
	d := int(digit - '0')
	if l.double {
		d *= 2
		if d > 9 {
			d -= 9
		}
	}
	l.sum += d
	l.double = !l.double
}

// valid reports whether the last digit is the check digit of those before it.
func (l *luhn) valid() bool { return l.sum%10 == 0 }
