// Package phone turns a telephone number as people write it into E.164, the one spelling that a member is known by. The
// ledger uses it before it makes a member's reference; anybody may. It never guesses: two spellings of one number come to
// the same, and what can be read in two ways is refused with the reason.
//
// It knows how numbers are dialled in the regions of its table. Numbers of other countries can be given too, with "+" and
// their country code; they are taken as they are written.
package phone

import "strings"

// Refusal says why a number can't be used. It is an error, and its text holds nothing of the number.
type Refusal string

// Why a number can't be used. The words are for programs, so they never change.
const (
	TooShort  Refusal = "too_short"  // digits are missing: perhaps the area code
	TooLong   Refusal = "too_long"   // no number there has so many digits
	Letters   Refusal = "letters"    // it has a letter or a sign that is in no telephone number
	Ambiguous Refusal = "ambiguous"  // it can be read in more than one way
	NoCountry Refusal = "no_country" // no country has its code
	NoRegion  Refusal = "no_region"  // it has no country code, and nobody has said which region it is dialled in
	NoNumber  Refusal = "no_number"  // nobody can have it
)

// Error says in words what is wrong.
func (r Refusal) Error() string {
	switch r {
	case TooShort:
		return "phone number is too short: perhaps the area code is missing"
	case TooLong:
		return "phone number is too long"
	case Letters:
		return "phone number has a letter or a sign that is in no phone number"
	case Ambiguous:
		return "phone number can be read in more than one way: write it with + and the country code"
	case NoCountry:
		return "phone number begins with the code of no country"
	case NoRegion:
		return "phone number has no country code: write it with + and the country code"
	}
	return "phone number can't be anybody's"
}

// longestInput is how many bytes are looked at: 15 digits of three bytes each, with something between them.
const longestInput = 96

// The digits of a number with its country code (ITU-T E.164, 6.1). The fewest are those of the shortest numbers in use.
const (
	fewestDigits = 7
	mostDigits   = 15
)

// Normalise returns the number in E.164: "+" and 7 to 15 digits. The region (ISO 3166-1, two capital letters, one of
// [Regions]) says how a number without a country code is dialled; empty means that it must have one. What Normalise returns
// it returns again, in every region. The error is a [Refusal].
func Normalise(typed, region string) (string, error) {
	if len(typed) > longestInput {
		return "", TooLong
	}
	s, err := clean(typed)
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(s, "+"); ok {
		return international(rest)
	}
	p, known := planOf(region)
	if !known {
		return "", NoRegion
	}
	for prefix := range strings.FieldsSeq(p.abroad) {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return international(rest)
		}
	}
	return national(bare(s), p)
}

// international reads what follows "+" or the prefix for calls abroad: digits, and perhaps the trunk prefix in parentheses,
// as in "+44 (0)20 7183 8750".
func international(s string) (string, error) {
	s = strings.TrimPrefix(s, "(")
	if code, rest, ok := strings.Cut(s, ")"); ok && isCallingCode(code) {
		s = code + rest // "+(44) 20 …"
	}
	digits := bare(s)
	code := callingCode(digits)
	if code == "" {
		if len(digits) < fewestDigits {
			return "", TooShort
		}
		return "", NoCountry
	}
	p, known := planWith(code)
	subscriber := digits[len(code):]
	if strings.HasPrefix(s[len(code):], "(0)") {
		switch {
		case known && p.zero:
			// The zero belongs to the number.
		case known && p.trunk == "0":
			subscriber = subscriber[1:]
		default:
			return "", Ambiguous
		}
	}
	if !known {
		return whole(digits)
	}
	if strings.HasPrefix(p.trunk, "0") {
		subscriber = strings.TrimPrefix(subscriber, p.trunk) // "+44 020 …": no number begins with the zero itself
	}
	return p.number(subscriber)
}

// national reads the digits of a number without a country code.
func national(digits string, p plan) (string, error) {
	if p.trunk == "" {
		return p.undialled(digits)
	}
	subscriber, dialled := strings.CutPrefix(digits, p.trunk)
	switch {
	case dialled && p.trunk[0] == '0', dialled && len(subscriber) == p.most:
		return p.number(subscriber)
	case p.local && len(digits) >= p.fewest:
		return "", Ambiguous // with the area code or without it
	}
	return p.undialled(digits)
}

// undialled reads the digits of a number without trunk prefix.
func (p plan) undialled(digits string) (string, error) {
	if rest, ok := strings.CutPrefix(digits, p.code); ok && !p.zero && p.code != "1" && p.fits(rest) && p.fits(digits) {
		return "", Ambiguous // perhaps the country code, without its "+"
	}
	return p.number(digits)
}

func (p plan) fits(digits string) bool { return p.fewest <= len(digits) && len(digits) <= p.most }

// number holds the digits behind the country code to what numbers there look like.
func (p plan) number(digits string) (string, error) {
	switch {
	case digits == "":
		return "", TooShort
	case digits[0] == '0' && !p.zero:
		// Perhaps a prefix for calls abroad, of another region.
		return "", Ambiguous
	case len(digits) < p.fewest:
		return "", TooShort
	case len(digits) > p.most, p.zero && digits[0] != '0' && len(digits) >= p.most:
		return "", TooLong // Italy's longest numbers are those of fixed lines, which begin with 0
	case p.code == "1" && (digits[0] < '2' || digits[3] < '2'):
		// NANP: area code and exchange begin with 2 to 9 (ATIS-0300055).
		return "", NoNumber
	}
	return whole(p.code + digits)
}

// whole holds a number with its country code to the length of any number.
func whole(digits string) (string, error) {
	if len(digits) < fewestDigits {
		return "", TooShort
	}
	if len(digits) > mostDigits {
		return "", TooLong
	}
	return "+" + digits, nil
}
