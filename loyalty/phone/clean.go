package phone

import "strings"

// clean returns the digits of a number in ASCII, with its "+" if it has one first and its parentheses, and without what
// stands between digits for the eye.
func clean(typed string) (string, error) {
	out := make([]byte, 0, len(typed))
	digits, open := 0, false
	for _, r := range typed {
		c := fold(r)
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c == '+':
			if len(out) > 0 {
				return "", Ambiguous // two numbers, or a sum
			}
		case c == '(' && !open, c == ')' && open:
			open = c == '('
		case c == '(' || c == ')':
			return "", Ambiguous
		case c == ' ':
			continue
		default:
			return "", Letters
		}
		out = append(out, c)
	}
	switch {
	case open:
		return "", Ambiguous
	case digits == 0:
		return "", TooShort
	}
	return string(out), nil
}

// bare returns a cleaned number without its parentheses.
func bare(s string) string {
	return strings.NewReplacer("(", "", ")", "").Replace(s)
}

// fold returns the ASCII character that r stands for in a number: a digit, "+", "(", ")", a space for what divides, or 0.
func fold(r rune) byte {
	switch {
	case '0' <= r && r <= '9', r == '+', r == '(', r == ')':
		return byte(r)
	case '０' <= r && r <= '９': // full-width, of Chinese, Japanese and Korean keyboards
		return byte(r - '０' + '0')
	case '٠' <= r && r <= '٩': // Arabic
		return byte(r - '٠' + '0')
	case '۰' <= r && r <= '۹': // Persian and Urdu
		return byte(r - '۰' + '0')
	}
	switch r {
	case '＋':
		return '+'
	case '（':
		return '('
	case '）':
		return ')'
	case ' ', '\t', '-', '.', '/',
		'\u00A0', '\u2002', '\u2003', '\u2007', '\u2009', '\u202F', '\u3000', // spaces
		'\u00AD', '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212', '－', 'ー', // dashes
		'．', '·', '／',
		'\u200B', '\u200E', '\u200F', '\u202A', '\u202C', '\u2060', '\u2066', '\u2069', '\uFEFF': // seen by nobody, pasted with it
		return ' '
	}
	return 0
}
