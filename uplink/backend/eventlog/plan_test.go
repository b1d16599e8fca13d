package eventlog

import (
	"errors"
	"math"
	"testing"
)

// Whatever numbers a terminal sends, a plan stores each record under its own number, in order, after the watermark, and
// leaves no number unaccounted for.
func FuzzPlan(f *testing.F) {
	f.Add(uint64(0), uint64(1), uint8(3), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Add(uint64(2), uint64(1), uint8(4), uint64(2), uint64(4), uint64(6), uint64(6))
	f.Add(uint64(0), uint64(4), uint8(1), uint64(1), uint64(3), uint64(0), uint64(0))
	f.Add(uint64(5), uint64(3), uint8(9), uint64(1), uint64(2), uint64(9), uint64(11))
	f.Add(uint64(math.MaxUint64-2), uint64(math.MaxUint64-1), uint8(2), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, through, first uint64, n uint8, from1, to1, from2, to2 uint64) {
		if through == math.MaxUint64 {
			return // check lets no batch bring a watermark there
		}
		b := telemetry(t, first, 0)
		b.Records = make([][]byte, n)
		for _, r := range []Range{{from1, to1}, {from2, to2}} {
			if r != (Range{}) {
				b.Lost = append(b.Lost, r)
			}
		}
		if b.check() != nil {
			return
		}
		segments, after, err := b.plan(through)
		if err != nil {
			if gap, ok := errors.AsType[*GapError](err); !ok || gap.Want <= through || gap.Got <= gap.Want {
				t.Fatalf("plan(%d) = %v", through, err)
			}
			return
		}
		next := through + 1
		for _, s := range segments {
			for _, r := range s.lost {
				if r.From != next || r.To < r.From {
					t.Fatalf("lost %v, want it to begin at %d", r, next)
				}
				next = r.To + 1
			}
			for i := s.from; i < s.to; i++ {
				if seq := s.firstSeq + uint64(i-s.from); seq != next || b.seqOf(i) != seq {
					t.Fatalf("record %d is stored as %d, and is number %d; want %d", i, seq, b.seqOf(i), next)
				}
				next++
			}
		}
		if after != next-1 {
			t.Fatalf("watermark %d after the last number %d", after, next-1)
		}
		if again, still, err := b.plan(after); err != nil || len(again) != 0 || still != after {
			t.Fatalf("a replay stores %v, through %d, %v", again, still, err)
		}
	})
}
