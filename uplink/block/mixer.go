package block

// mixer weighs two opinions about a decision, that of the column itself and that of all columns whose numbers are about as
// large, and learns whom to believe (logistic mixing: Mahoney, "Adaptive Weighing of Context Models", 2005).
type mixer struct {
	weights [16][2]int32 // 1/65536, by how often the column has decided; to begin with they add up to 1
}

const (
	mixerRate  = 10      // weights learn by 1/1024 of what was wrong
	heaviest   = 1 << 20 // weight
	ownOpinion = 3       // decisions after which the column counts as much as all
)

func newMixer() mixer {
	var m mixer
	for seen := range m.weights {
		own := int32(1<<16) * int32(seen) / (int32(seen) + ownOpinion)
		m.weights[seen] = [2]int32{own, 1<<16 - own}
	}
	return m
}

// code codes a decision. own is what the column has seen of it, all what all columns have.
func (m *mixer) code(c *coder, bit int, own, all *odds) int {
	w := &m.weights[min(own.seen, 15)]
	a, b := stretch(own.one()), stretch(all.one())
	p := squash((a*(w[0]>>2) + b*(w[1]>>2)) >> 14)
	bit = c.bit(bit, uint32(p)<<4)
	wrong := int32(bit)<<12 - p
	w[0] = max(-heaviest, min(w[0]+a*wrong>>mixerRate, heaviest))
	w[1] = max(-heaviest, min(w[1]+b*wrong>>mixerRate, heaviest))
	own.learn(bit)
	all.learn(bit)
	return bit
}

// logistic is 4096/(1+exp(-x)) for x from -8 to 8 in steps of a half, rounded, from 1 to 4095.
var logistic = [33]int32{
	1, 2, 4, 6, 10, 17, 27, 45, 74, 121, 194, 311, 488, 747, 1102, 1546, 2048,
	2550, 2994, 3349, 3608, 3785, 3902, 3975, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095,
}

// squash turns an opinion, the logarithm of the odds in 1/256, into a probability in 1/4096, from 1 to 4095.
func squash(x int32) int32 {
	x = max(-2047, min(x, 2047)) + 2048
	i, part := x>>7, x&127
	return (logistic[i]*(128-part) + logistic[i+1]*part + 64) >> 7
}

// stretch turns a probability in 1/65536 into an opinion: it is the inverse of squash.
func stretch(p int32) int32 { return int32(opinions[p>>4]) }

// opinions is the least opinion for each probability in 1/4096.
var opinions = func() (table [4096]int16) {
	p := 0
	for x := int32(-2047); x <= 2047; x++ {
		for ; p <= int(squash(x)); p++ {
			table[p] = int16(x)
		}
	}
	return table
}()
