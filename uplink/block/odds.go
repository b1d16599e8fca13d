package block

// odds is what was seen of one decision so far. The zero value has seen nothing, and expects a 0 as much as a 1.
type odds struct {
	lean int16 // probability of a 1, in 1/65536, less a half
	seen uint8 // how often it was decided, up to memory
}

// memory is how many decisions count: older ones fade.
const memory = 100

// likely returns odds with an opinion of their own: the probability of a 1 in 1/1000, as firm as if seen so often.
func likely(promille int, seen uint8) odds {
	return odds{lean: int16(promille*65536/1000 - 1<<15), seen: seen}
}

// one returns the probability of a 1, in 1/65536.
func (o *odds) one() int32 { return int32(o.lean) + 1<<15 }

// learn takes in a decision. The n-th moves the odds by 1/(n+1), at first about as the estimator of Krichevsky and
// Trofimov does.
func (o *odds) learn(bit int) {
	target := int32(-1 << 15)
	if bit == 1 {
		target = 1<<15 - 1
	}
	lean := int32(o.lean)
	o.lean = int16(lean + (target-lean)/(int32(o.seen)+2))
	if o.seen < memory {
		o.seen++
	}
}

// flag codes a decision by its odds alone.
func (c *coder) flag(bit int, o *odds) int {
	bit = c.bit(bit, uint32(max(64, min(o.one(), 1<<16-64))))
	o.learn(bit)
	return bit
}

// choose codes a number of n bits, the highest first. A bit has odds of its own for each way in which the number can
// begin, so that o holds 1<<n.
func (c *coder) choose(v, n int, o []odds) int {
	begun := 1
	for i := n - 1; i >= 0; i-- {
		begun = begun<<1 | c.flag(v>>i&1, &o[begun])
	}
	return begun - 1<<n
}

// asBit returns 1 for true.
func asBit(b bool) int {
	if b {
		return 1
	}
	return 0
}
