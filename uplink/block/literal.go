package block

import "math/bits"

// literals is what is known of numbers and strings that come with nothing before them in their column.
type literals struct {
	same   odds
	minus  odds
	length [64]odds // of the distance to what is usual, in bits
	text   odds
	chars  [4][128]odds // by the kind of character before
}

// sample is text like the names, versions and sentences that events have: what follows what in them is learned from it.
const sample = "bq27441-0 BAT0 main-battery ttyUSB2 wwan0 cdc-wdm0 Telekom.de vodafone O2 Orange EE AT&T T-Mobile " +
	"1.0.3 2.14.0-rc1 v3.9.12 pos kiosk com.shop.app Payment the part does not answer in time, not there and unusable"

// distances are distances of numbers to what is usual, as far apart as they mostly are.
var distances = [...]int64{
	0, 1, 0, -2, 5, 0, -9, 17, -30, 60, 100, -150, 300, -700, 1200, 2500, -5000, 10_000, 30_000, -90_000,
	1 << 18, 1 << 20, 1 << 22, 1 << 25, 1 << 28, 1 << 30, 1 << 32, 0, 1, 0, -1,
}

func newLiterals() literals {
	l := literals{same: likely(500, 0), minus: likely(400, 2), text: likely(800, 2)}
	c := &coder{mode: measuring}
	class := 0
	for _, b := range []byte(sample) {
		_, class = l.char(c, b, class)
	}
	for _, v := range distances {
		l.number(c, v, 0)
	}
	return l
}

// number codes a number of which usual is a likely value.
func (l *literals) number(c *coder, v, usual int64) int64 {
	off := v - usual
	minus := off < 0
	abs := uint64(off)
	if minus {
		abs = -abs
	}
	n := c.choose(min(bits.Len64(abs), 63), 6, l.length[:])
	if n == 0 {
		return usual
	}
	minus = c.flag(asBit(minus), &l.minus) == 1
	if n == 63 { // 63 or 64 bits
		abs = c.raw(abs, 64)
	} else {
		abs = 1<<(n-1) | c.raw(abs&(1<<(n-1)-1), n-1)
	}
	if minus {
		abs = -abs
	}
	return usual + int64(abs)
}

// bytes codes a string of which usual is a likely value. afford is told its length and its decisions before it is made,
// and false ends it. What is returned may be b.
func (l *literals) bytes(c *coder, b []byte, usual string, afford func(bytes, work int) bool) []byte {
	if usual != "" && c.flag(asBit(string(b) == usual), &l.same) == 1 {
		return []byte(usual)
	}
	size := l.number(c, int64(len(b)), int64(len(usual)))
	if size < 0 || size > MaxBytes {
		size = MaxBytes + maxMemory // more than there is
	}
	text := c.flag(asBit(isText(b)), &l.text) == 1
	each := 1
	if text {
		each = 7
	}
	if !afford(int(size), int(size)*each) {
		return nil
	}
	read := b
	if c.mode == reading {
		read = make([]byte, size)
	}
	class := 0
	for i, x := range read {
		if text {
			x, class = l.char(c, x, class)
		} else {
			x = byte(c.raw(uint64(x), 8))
		}
		if c.mode == reading { // what is written belongs to others
			read[i] = x
		}
	}
	return read
}

// char codes a character of ASCII, and returns it and its class.
func (l *literals) char(c *coder, b byte, class int) (byte, int) {
	b = byte(c.choose(int(b), 7, l.chars[class][:]))
	switch {
	case b >= '0' && b <= '9':
		return b, 1
	case b >= 'a' && b <= 'z':
		return b, 2
	}
	return b, 3
}

// isText reports whether all of b is ASCII.
func isText(b []byte) bool {
	for _, x := range b {
		if x >= 0x80 {
			return false
		}
	}
	return true
}
