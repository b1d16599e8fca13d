package block

import "testing"

// However long everything goes wrong or right, weights stay small enough to calculate with.
func TestMixerWeights(t *testing.T) {
	for name, test := range map[string]struct {
		own, all int
		bit      func(i int) int
	}{
		"right for ever":    {999, 1, func(int) int { return 1 }},
		"wrong for ever":    {999, 999, func(int) int { return 0 }},
		"right, then wrong": {999, 500, func(i int) int { return asBit(i < 1_400_000) }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMixer()
			c := &coder{mode: measuring}
			largest := int32(0)
			for i := range 1_500_000 {
				own, all := likely(test.own, memory), likely(test.all, memory)
				m.code(c, test.bit(i), &own, &all)
				for _, w := range m.weights[15] {
					largest = max(largest, w, -w)
				}
			}
			if largest != 1<<20 {
				t.Errorf("the largest weight was %d, want %d", largest, 1<<20)
			}
		})
	}
}

// squash and stretch are the inverse of each other, and rise.
func TestMixerOpinions(t *testing.T) {
	before := int32(0)
	for x := int32(-3000); x <= 3000; x++ {
		p := squash(x)
		if p < 1 || p > 4095 || p < before {
			t.Fatalf("squash(%d) is %d after %d", x, p, before)
		}
		before = p
	}
	for p := int32(16); p < 65536; p += 16 {
		if got := squash(stretch(p)); got < p>>4 || squash(stretch(p)-1) >= p>>4 && p > 16 {
			t.Errorf("%d of 4096 is stretched to %d, which is squashed to %d", p>>4, stretch(p), got)
		}
	}
}
