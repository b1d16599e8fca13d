package block

import "math/bits"

const (
	scales     = 48      // half octaves of how large the numbers of a column are
	startScale = 10      // of a column that has seen nothing: about 2
	lengths    = 24      // lengths of numbers, in bits, that have odds; longer ones share the last
	leading    = 3       // bits after the first that have odds; further ones are as good as random
	lastFew    = 6       // numbers that tell how large the next one is
	largest    = 1 << 40 // larger numbers count as that
)

// number is what was seen of the numbers of one stream: whether they are zero, how many bits they have, their signs,
// and how their bits begin.
type number struct {
	seen   int64
	size   int64 // the absolute value of late, 4 fraction bits
	zero   odds
	longer [lengths]odds
	minus  [3]odds // by length: 1, 2, more
	high   [lengths][1 << leading]odds
}

// numbers is what was seen of the numbers of all streams, by how large they were to be expected. It codes them.
type numbers struct {
	mixer  mixer
	zero   [scales]odds
	longer [scales][lengths]odds
	minus  odds
	high   [lengths][1 << leading]odds
}

// longerThan is how likely a number is to be longer still, in thousandths, from five octaves below its scale to two above, for
// numbers of a two-sided geometric distribution.
var longerThan = [21]int{996, 994, 992, 989, 985, 979, 970, 958, 942, 918, 886, 843, 786, 711, 617, 505, 380, 255, 145, 65, 21}

// firm is how often something has been seen, for what is known from the start.
const firm = 12

func newNumbers() numbers {
	n := numbers{mixer: newMixer(), minus: likely(500, firm)}
	for s := range scales {
		n.zero[s] = likely(max(2, 16000/(16+2<<(s/2))), firm)
		for l := range lengths {
			n.longer[s][l] = likely(longerThan[max(0, min(22+2*l-s, 20))], firm)
		}
	}
	for l := range lengths {
		for begun := range n.high[l] {
			n.high[l][begun] = likely(450, firm)
		}
	}
	return n
}

// scale returns how large the next number is to be expected, in half octaves.
func (n *number) scale() int {
	if n.seen == 0 {
		return startScale
	}
	octave := bits.Len64(uint64(n.size))
	if octave < 2 {
		return 0
	}
	half := int(n.size >> (octave - 2) & 1)
	return min(2*(octave-1)+half, scales-1)
}

// code codes the next number of a stream.
func (all *numbers) code(c *coder, n *number, v int64) int64 {
	s := n.scale()
	if all.mixer.code(c, asBit(v == 0), &n.zero, &all.zero[s]) == 1 {
		v = 0
	} else {
		v = all.nonzero(c, n, v, s)
	}
	n.seen = min(n.seen+1, lastFew)
	n.size += (int64(min(magnitude(v), largest))<<4 - n.size) / n.seen
	return v
}

// nonzero codes a number that isn't zero.
func (all *numbers) nonzero(c *coder, n *number, v int64, s int) int64 {
	abs := magnitude(v)
	size, length := bits.Len64(abs), 1
	for length < 64 {
		l := min(length, lengths-1)
		if all.mixer.code(c, asBit(size > length), &n.longer[l], &all.longer[s][l]) == 0 {
			break
		}
		length++
	}
	minus := all.mixer.code(c, asBit(v < 0), &n.minus[min(length, 3)-1], &all.minus)
	begun, rest := 1, length-1
	for l := min(length, lengths) - 1; rest > 0 && begun < 1<<leading; rest-- {
		begun = begun<<1 | all.mixer.code(c, int(abs>>(rest-1)&1), &n.high[l][begun], &all.high[l][begun])
	}
	abs = uint64(begun)<<rest | c.raw(abs, rest)
	if minus == 1 {
		abs = -abs
	}
	return int64(abs)
}

// magnitude returns the absolute value.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
