package sketch_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// of returns a sketch of durations.
func of(durations ...uint32) *sketch.Sketch {
	s := new(sketch.Sketch)
	for _, d := range durations {
		s.Add(d)
	}
	return s
}

func encoded(s *sketch.Sketch) []byte { return s.Append(nil) }

// distributions are durations as they may come, and as they should not, each by a random source.
var distributions = map[string]func(*rand.Rand) uint32{
	"constant": func(*rand.Rand) uint32 { return 123_457 },
	"zero":     func(*rand.Rand) uint32 { return 0 },
	"longest":  func(*rand.Rand) uint32 { return math.MaxUint32 },
	"uniform":  func(r *rand.Rand) uint32 { return r.Uint32() },
	"short":    func(r *rand.Rand) uint32 { return r.Uint32N(100) },
	"log-uniform": func(r *rand.Rand) uint32 {
		return uint32(math.Exp(r.Float64() * math.Log(math.MaxUint32)))
	},
	"log-normal": func(r *rand.Rand) uint32 {
		return uint32(min(math.MaxUint32, 200_000*math.Exp(0.7*r.NormFloat64())))
	},
	"exponential": func(r *rand.Rand) uint32 { return uint32(min(math.MaxUint32, 50_000*r.ExpFloat64())) },
	"heavy tail": func(r *rand.Rand) uint32 {
		return uint32(min(math.MaxUint32, 1000/math.Pow(1-r.Float64(), 1.5)))
	},
	"two humps": func(r *rand.Rand) uint32 {
		if r.IntN(10) == 0 {
			return 30_000_000 + r.Uint32N(1000)
		}
		return 90_000 + r.Uint32N(20_000)
	},
	"powers of two": func(r *rand.Rand) uint32 { return 1<<r.IntN(32) - r.Uint32N(2) },
}

// Every quantile of every distribution is within 1/64 of the duration that has that rank.
func TestQuantile(t *testing.T) {
	for name, draw := range distributions {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for _, n := range []int{1, 2, 3, 10, 99, 1000, 20_000} {
				durations := make([]uint32, n)
				for i := range durations {
					durations[i] = draw(r)
				}
				s := of(durations...)
				decoded, err := sketch.Decode(encoded(s))
				if err != nil {
					t.Fatal(err)
				}
				slices.Sort(durations)
				for i := range 1001 {
					q := float64(i) / 1000
					want := durations[max(1, int(math.Ceil(q*float64(n))))-1]
					for what, got := range map[string]uint32{"sketch": s.Quantile(q), "decoded": decoded.Quantile(q)} {
						if !near(got, want) {
							t.Fatalf("%d durations, %s: quantile %v is %d, want %d within 1/64", n, what, q, got, want)
						}
					}
				}
				if got, want := s.Max(), durations[n-1]; got != want || !near(decoded.Max(), want) {
					t.Errorf("%d durations: the longest is %d, decoded %d, want %d", n, got, decoded.Max(), want)
				}
			}
		})
	}
}

// near reports whether two durations differ by no more than 1/64 of the second.
func near(got, want uint32) bool {
	return math.Abs(float64(got)-float64(want)) <= float64(want)/64
}

// The sum is exact before a sketch was encoded, and within 1/64 after.
func TestSum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s, sum := new(sketch.Sketch), uint64(0)
	for range 2000 {
		d := distributions["log-normal"](r)
		s.Add(d)
		sum += uint64(d)
	}
	decoded, err := sketch.Decode(encoded(s))
	if err != nil {
		t.Fatal(err)
	}
	if s.Sum() != sum || s.Count() != 2000 || decoded.Count() != 2000 {
		t.Errorf("sum %d of %d (decoded %d), want %d of 2000", s.Sum(), s.Count(), decoded.Count(), sum)
	}
	if off := math.Abs(float64(decoded.Sum()) - float64(sum)); off > float64(sum)/64 {
		t.Errorf("decoded sum is %d, want %d within 1/64", decoded.Sum(), sum)
	}
}

// Merging parts in any order and grouping is the same as counting everything in one place.
func TestMerge(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, draw := range distributions {
		t.Run(name, func(t *testing.T) {
			whole, parts := new(sketch.Sketch), make([]*sketch.Sketch, 7)
			for i := range parts {
				parts[i] = new(sketch.Sketch)
				for range r.IntN(300) { // none at times
					d := draw(r)
					whole.Add(d)
					parts[i].Add(d)
				}
			}
			for range 5 {
				r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
				left, right, both := new(sketch.Sketch), new(sketch.Sketch), new(sketch.Sketch)
				for i, p := range parts {
					if i < r.IntN(len(parts)) {
						left.Merge(p)
					} else {
						right.Merge(p)
					}
				}
				both.Merge(right)
				both.Merge(left)
				if !bytes.Equal(encoded(both), encoded(whole)) || both.Sum() != whole.Sum() || both.Max() != whole.Max() || both.Count() != whole.Count() {
					t.Fatalf("merged in parts it is %x, want %x", encoded(both), encoded(whole))
				}
			}
		})
	}
}

func TestMergeWithItself(t *testing.T) {
	s := of(1, 1, 70, 5000)
	s.Merge(s)
	if want := of(1, 1, 1, 1, 70, 70, 5000, 5000); !bytes.Equal(encoded(s), encoded(want)) || s.Sum() != want.Sum() || s.Count() != 8 {
		t.Errorf("%x with sum %d, want %x with %d", encoded(s), s.Sum(), encoded(want), want.Sum())
	}
}

func TestEmpty(t *testing.T) {
	var s sketch.Sketch
	s.Merge(new(sketch.Sketch))
	if s.Count() != 0 || s.Sum() != 0 || s.Max() != 0 || s.Quantile(0.5) != 0 || len(encoded(&s)) != 0 {
		t.Errorf("an empty sketch has count %d, sum %d, maximum %d, median %d, bytes %x", s.Count(), s.Sum(), s.Max(), s.Quantile(0.5), encoded(&s))
	}
	if d, err := sketch.Decode(nil); err != nil || d.Count() != 0 {
		t.Errorf("no bytes decode to %v and error %v", d, err)
	}
}

// What can't be counted any further stays where it is, and is never small again.
func TestSaturates(t *testing.T) {
	full := []byte{1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0x06, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F} // 2^32-1 durations in bucket 895
	s, err := sketch.Decode(full)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s.Merge(s)
		s.Add(math.MaxUint32)
	}
	if s.Sum() != sketch.MaxSum || !bytes.Equal(encoded(s), full) {
		t.Errorf("sum %d, bytes %x, want %d and %x", s.Sum(), encoded(s), uint64(sketch.MaxSum), full)
	}
	if s.Count() != 8*math.MaxUint32+7 || !near(s.Quantile(0.5), math.MaxUint32) {
		t.Errorf("count %d, median %d", s.Count(), s.Quantile(0.5))
	}
	for range 100 {
		s.Merge(s)
	}
	if s.Count() != math.MaxUint64 {
		t.Errorf("count %d, want the largest there is", s.Count())
	}
}

// The form is what application.proto says, byte by byte: another program may write it.
func TestForm(t *testing.T) {
	for name, test := range map[string]struct {
		durations []uint32
		want      []byte
	}{
		"the shortest":           {[]uint32{0}, []byte{1, 1, 0, 1}},
		"a bucket for each":      {[]uint32{63, 0, 63}, []byte{1, 3, 0, 1, 63, 2}},
		"two in one bucket":      {[]uint32{64, 65, 66}, []byte{1, 3, 64, 2, 1, 1}},
		"the longest":            {[]uint32{math.MaxUint32}, []byte{1, 1, 0xFF, 0x06, 1}},
		"a fifth of a second":    {[]uint32{200_000}, []byte{1, 1, 0xB0, 0x03, 1}}, // 432 = 32*12 + 48, and 48<<12 <= 200,000 < 49<<12
		"the first of an octave": {[]uint32{1 << 20}, []byte{1, 1, 0x80, 0x04, 1}}, // 512 = 32*15 + 32
	} {
		if got := encoded(of(test.durations...)); !bytes.Equal(got, test.want) {
			t.Errorf("%s: %x, want %x", name, got, test.want)
		}
	}
}

// A full sketch is the largest there is.
func TestMaxSize(t *testing.T) {
	s := new(sketch.Sketch)
	for us := uint64(0); us <= math.MaxUint32; us += 1 + us/64 {
		s.Add(uint32(us))
	}
	for range 40 {
		s.Merge(s)
	}
	b := encoded(s)
	if d, err := sketch.Decode(b); err != nil || !bytes.Equal(encoded(d), b) {
		t.Errorf("a full sketch does not decode: %v", err)
	}
	if len(b) > sketch.MaxSize || len(b) < 6*sketch.Buckets {
		t.Errorf("%d bytes, want up to %d", len(b), sketch.MaxSize)
	}
}

// The guard knows the form of a sketch, and takes no sketch for a card number.
func TestGuardLetsPass(t *testing.T) {
	guard := pci.NewGuard(nil)
	r := rand.New(rand.NewPCG(7, 8))
	for name, draw := range distributions {
		for range 300 {
			s := new(sketch.Sketch)
			for range r.IntN(200) {
				s.Add(draw(r))
			}
			if _, err := guard.Check(&wire.AppOperation{Sketch: encoded(s)}); err != nil {
				t.Fatalf("%s: %x: %v", name, encoded(s), err)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"another format":     {2, 1, 0, 1},
		"no count":           {1},
		"no bucket":          {1, 0},
		"count of no bucket": {1, 1},
		"half a bucket":      {1, 1, 5},
		"half a number":      {1, 1, 5, 0x81},
		"sum too small":      {1, 1, 5, 2},
		"sum too large":      {1, 3, 5, 2},
		"bucket of none":     {1, 1, 5, 1, 1, 0},
		"the same bucket":    {1, 2, 5, 1, 0, 1},
		"bucket 896":         {1, 1, 0x80, 0x07, 1},
		"bucket 896 later":   {1, 2, 0xFF, 0x06, 1, 1, 1},
		"gap that overflows": {1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 1},
		"count above 32 bit": {1, 0x80, 0x80, 0x80, 0x80, 0x10, 5, 0x80, 0x80, 0x80, 0x80, 0x10},
		"number too long":    {1, 1, 5, 0x81, 0x00},
		"ten bytes and more": {1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01},
	} {
		if s, err := sketch.Decode(data); !errors.Is(err, sketch.ErrFormat) || s != nil {
			t.Errorf("%s: got %v and error %v", name, s, err)
		}
	}
}

// Bytes from anywhere are either refused or the one encoding of a sketch.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(encoded(of(0, 1, 63, 64, 5000, 5000, math.MaxUint32)))
	f.Add([]byte{1, 2, 5, 1, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := sketch.Decode(data)
		if err != nil {
			return
		}
		if got := encoded(s); !bytes.Equal(got, data) {
			t.Errorf("%x is written back as %x", data, got)
		}
		if s.Quantile(0) > s.Quantile(0.5) || s.Quantile(0.5) > s.Quantile(1) || s.Quantile(1) != s.Max() {
			t.Errorf("quantiles of %x are not in order", data)
		}
	})
}
