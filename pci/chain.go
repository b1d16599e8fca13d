package pci

import "math/bits"

// chain reads characters one at a time and finds card numbers among the digits. Groups of digits with one separator
// between them form a chain; a card number is any number of whole groups in a row. A part of a group never counts: a
// number of 20 digits is not a card number with something before it.
//
// The zero chain is ready for use. It allocates nothing.
type chain struct {
	found   finding
	inGroup bool    // the last character was a digit
	opened  finding // track2 or track1 when the chain began with a start sentinel
	before  byte    // the last character that was no digit
	n       int     // digits held
	starts  uint64  // bit i: a group begins at digits[i]
	digits  [chainLen]byte
}

// chainLen is more than the longest card number, so that old digits are thrown away seldom; starts has a bit for each.
const chainLen = 64

const (
	// separator is what every character counts as that may stand between digits.
	separator = ' '
	// ignored is a character that counts as not being there. A NUL is one, which makes UTF-16 read as ASCII.
	ignored = 0
)

// feed takes one character: a digit, a separator, or anything else.
func (c *chain) feed(b byte) {
	switch {
	case b-'0' <= 9:
		c.digit(b)
	case b == ignored:
	case c.inGroup:
		c.inGroup = false
		c.endGroup(b)
		if b != separator {
			c.n, c.starts = 0, 0
		}
		c.before = b
	default:
		c.n, c.starts = 0, 0
		c.before = b
	}
}

// end says that there are no more characters, and returns the most telling finding.
func (c *chain) end() finding {
	c.feed('x')
	return c.found
}

func (c *chain) digit(b byte) {
	if c.n == chainLen {
		copy(c.digits[:], c.digits[chainLen-longestPAN:])
		c.starts >>= chainLen - longestPAN
		c.n = longestPAN
		c.opened = nothing
	}
	if !c.inGroup {
		if c.n == 0 {
			c.opened = sentinel(c.before)
		}
		c.inGroup = true
		c.starts |= 1 << c.n
	}
	c.digits[c.n] = b
	c.n++
}

// endGroup looks at every run of whole groups that ends here, before the character next.
func (c *chain) endGroup(next byte) {
	if c.n < shortestTrackPAN {
		return
	}
	if f := c.track(next); f != nothing {
		c.found = max(c.found, f)
		return
	}
	oldest := max(0, c.n-longestPAN)
	if c.n < shortestPAN || bits.TrailingZeros64(c.starts>>oldest) > c.n-shortestPAN-oldest {
		return
	}
	var sum luhn
	for i := c.n - 1; i >= oldest; i-- {
		sum.add(c.digits[i])
		if c.starts&(1<<i) == 0 || !sum.valid() {
			continue
		}
		if f := classify(c.digits[i:c.n]); f != nothing {
			c.found = max(c.found, beforeField(f, next))
		}
	}
}
