package block

import "math/bits"

// coder is a binary range coder (Martin, "Range encoding", 1979; carries as in LZMA). It writes decisions, each with the
// probability that was expected of it, or reads them back. One code serves both directions: a decision that is handed
// over counts only when writing, and the one that is returned is what was written.
type coder struct {
	mode coderMode
	span uint32 // width of the interval: at least 1<<24 between decisions

	low     uint64 // writing: where the interval begins; bit 32 is a carry
	held    byte   // writing: the last byte that is not 0xFF, which a carry may still change
	holding bool   // writing: whether held is one
	run     int    // writing: bytes 0xFF after held
	out     []byte

	code uint32 // reading: where in the interval the input is
	in   []byte

	cost int // measuring: in 1/256 bit
	work int // decisions and pieces of raw bits so far
}

// coderMode is what a coder does.
type coderMode uint8

const (
	writing coderMode = iota
	reading
	measuring // decisions are not written, but what they would cost is added up
)

func newWriter(out []byte) *coder { return &coder{mode: writing, span: 1<<32 - 1, out: out} }

func newReader(in []byte) *coder {
	c := &coder{mode: reading, span: 1<<32 - 1, in: in}
	for range 4 {
		c.code = c.code<<8 | uint32(c.next())
	}
	return c
}

// bit codes a decision. p is the probability that it is 1, in 1/65536, from 1 to 65535.
func (c *coder) bit(bit int, p uint32) int {
	c.work++
	bound := uint32(uint64(c.span) * uint64(p) >> 16)
	switch c.mode {
	case reading:
		bit = 0
		if c.code < bound {
			bit = 1
		} else {
			c.code -= bound
		}
	case writing:
		if bit == 0 {
			c.low += uint64(bound)
		}
	case measuring:
		if bit == 0 {
			p = 1<<16 - p
		}
		c.cost += 16<<8 - logarithm(p)
		return bit
	}
	if bit == 1 {
		c.span = bound
	} else {
		c.span -= bound
	}
	for c.span < 1<<24 {
		c.shift()
	}
	return bit
}

// raw codes the n lowest bits of v, 0 to 64, of which nothing is expected.
func (c *coder) raw(v uint64, n int) uint64 {
	if c.mode == measuring {
		c.cost += n << 8
		return v
	}
	var got uint64
	for n > 0 {
		k := min(n, 16)
		n -= k
		c.work++
		c.span >>= k
		part := uint32(v>>n) & (1<<k - 1)
		if c.mode == reading {
			part = min(c.code/c.span, 1<<k-1)
			c.code -= part * c.span
		} else {
			c.low += uint64(part) * uint64(c.span)
		}
		got = got<<k | uint64(part)
		for c.span < 1<<24 {
			c.shift()
		}
	}
	return got
}

// shift widens the interval by a byte, which is settled and moves out, or comes in.
func (c *coder) shift() {
	c.span <<= 8
	if c.mode == reading {
		c.code = c.code<<8 | uint32(c.next())
		return
	}
	if c.low>>24 == 0xFF {
		c.run++
	} else {
		carry := byte(c.low >> 32)
		if c.holding {
			c.out = append(c.out, c.held+carry)
		}
		for ; c.run > 0; c.run-- {
			c.out = append(c.out, 0xFF+carry)
		}
		c.held, c.holding = byte(c.low>>24), true
	}
	c.low = c.low << 8 & (1<<32 - 1)
}

// next returns the next byte of the input, and zeros after its end.
func (c *coder) next() byte {
	if len(c.in) == 0 {
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

// ended reports whether all of the input was read: zeros may follow.
func (c *coder) ended() bool {
	for _, b := range c.in {
		if b != 0 {
			return false
		}
	}
	return true
}

// finish returns what was written. Zeros at its end are left out: a reader finds them there anyway.
func (c *coder) finish() []byte {
	last := c.low + uint64(c.span) - 1
	zeros := bits.Len64(c.low^last) - 1
	c.low = last >> zeros << zeros // in the interval, and ending in as many zeros as can be
	for range 5 {
		c.shift()
	}
	for len(c.out) > 0 && c.out[len(c.out)-1] == 0 {
		c.out = c.out[:len(c.out)-1]
	}
	return c.out
}

// logarithm returns the binary logarithm of p in 1/256, right to 1/100.
func logarithm(p uint32) int {
	n := bits.Len32(p)
	part := int(p << (32 - n) << 1 >> 24)
	return (n-1)<<8 + part + part*(256-part)*88>>16
}
