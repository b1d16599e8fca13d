package pci

// chain reads characters one at a time and finds card numbers among the digits. Digits next to each other are a group;
// groups with one separator between them are a chain. A card number is a whole chain, however it is divided, or some
// groups in a row that are divided as card numbers are written: "table 7 4242 4242 4242 4242 12/30".
//
// A part of a group never counts: a number of 20 digits is not a card number with something before it. Nor does a
// group behind a decimal point. The zero chain is ready for use. It allocates nothing.
type chain struct {
	found    finding
	opened   finding // track2 or track1 when the chain began with a start sentinel
	before   byte    // the last character that was no digit
	after    byte    // the character after the last group
	inGroup  bool    // the last character was a digit
	fraction bool    // the last group is behind a point, and that behind a group
	cut      bool    // the chain's first digits were thrown away
	n        int     // digits held
	starts   uint64  // bit i: a group begins at digits[i]
	digits   [chainLen]byte
}

// chainLen is more than the longest card number, so that old digits are thrown away seldom; starts has a bit for each.
const chainLen = 64

const (
	// separator is what every character counts as that may stand between digits, but for the point.
	separator = ' '
	point     = '.'
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
		c.after, c.before = b, b
		c.endGroup()
		if b != separator && b != point {
			c.endChain()
		}
	default:
		c.before = b
		if c.n > 0 {
			c.endChain()
		}
	}
}

// end says that there are no more characters, and returns the most telling finding.
func (c *chain) end() finding {
	c.feed('x')
	if c.n > 0 {
		c.endChain()
	}
	return c.found
}

func (c *chain) digit(b byte) {
	if c.n == chainLen {
		copy(c.digits[:], c.digits[chainLen-longestPAN:])
		c.starts >>= chainLen - longestPAN
		c.n = longestPAN
		c.cut = true
	}
	if !c.inGroup {
		c.inGroup = true
		c.starts |= 1 << c.n
		c.fraction = c.n > 0 && c.before == point
		if c.n == 0 {
			c.opened = sentinel(c.before)
		}
	}
	c.digits[c.n] = b
	c.n++
}

// endGroup looks at the runs of groups that end here and are divided as card numbers are.
func (c *chain) endGroup() {
	for size := shortestPAN; size <= min(c.n, longestPAN); size++ {
		from := c.n - size
		division := c.starts >> from
		if division&1 == 0 || c.fraction && division == 1 || !isLayout(division, size) {
			continue
		}
		c.judge(c.digits[from:c.n])
	}
}

// endChain looks at the whole chain, and begins a new one.
func (c *chain) endChain() {
	if !c.cut && c.n >= shortestTrackPAN && c.n <= longestPAN {
		if f := c.track(); f != nothing {
			c.found = max(c.found, f)
		} else if c.starts != 1 { // one group was looked at already
			c.judge(c.digits[:c.n])
		}
	}
	c.n, c.starts, c.cut = 0, 0, false
}

func (c *chain) judge(digits []byte) {
	if luhn(digits) {
		c.found = max(c.found, beforeField(classify(digits), c.after))
	}
}
