// Package sketch counts durations in buckets that grow with them, so that percentiles are known to 1/64 however many there
// were, and sketches of many windows and terminals can be added up.
//
// It is for both ends: the agent adds up what applications report, and the backend what terminals sent. It works on whole
// numbers alone, so that every machine puts a duration into the same bucket, and it never keeps the durations themselves.
package sketch

import (
	"math"
	"math/bits"
)

const (
	// Buckets is how many buckets there are: numbers 0 to 895 (AppOperation.sketch in uplink/wire/application.proto).
	Buckets = 896
	// fine is how many buckets a doubling takes.
	fine = 32
	// MaxSum is the largest sum, which stands for itself and all above: 10^13-1 microseconds. A longer number could be taken
	// for a card's.
	MaxSum = 1e13 - 1
)

// A Sketch is how durations are spread. The zero value is empty. It is not safe for concurrent use.
//
// Every duration is in one bucket, whose width is at most 1/32 of what is in it; below 64 us each has its own. What is read
// from a sketch is the middle of a bucket, and so it is within 1/64 (1.6 percent) of a duration that was counted.
type Sketch struct {
	counts []bucket // in the order of their numbers, none with a count of 0
	count  uint64
	sum    uint64 // at most MaxSum
	max    uint32
}

// bucket is how many durations have the same number.
type bucket struct {
	number uint16
	count  uint32 // the largest stands for itself and all above
}

// numberOf returns the number of the bucket that a duration is in.
func numberOf(us uint32) uint16 {
	scale := max(0, bits.Len32(us)-6)
	return uint16(fine*scale) + uint16(us>>scale)
}

// bounds returns the shortest and the longest duration of a bucket, in microseconds.
func bounds(number uint16) (low, high uint32) {
	if number < 2*fine {
		return uint32(number), uint32(number)
	}
	scale := number/fine - 1
	low = uint32(fine+number%fine) << scale
	return low, low + (1<<scale - 1)
}

// middle returns the duration that stands for a bucket.
func middle(number uint16) uint32 {
	low, high := bounds(number)
	return low + (high-low)/2
}

// Add counts a duration, in microseconds.
func (s *Sketch) Add(us uint32) {
	s.addTo(numberOf(us), 1)
	s.count++
	s.addSum(uint64(us))
	s.max = max(s.max, us)
}

// Merge counts all that o has counted. Merging is the same in any order, until a count is as large as it can be.
func (s *Sketch) Merge(o *Sketch) {
	counts := o.counts
	if s == o {
		counts = append([]bucket(nil), counts...)
	}
	for _, b := range counts {
		s.addTo(b.number, b.count)
	}
	s.count = saturated(s.count, o.count)
	s.addSum(o.sum)
	s.max = max(s.max, o.max)
}

// addTo adds to the count of a bucket.
func (s *Sketch) addTo(number uint16, count uint32) {
	at := s.place(number)
	if at == len(s.counts) || s.counts[at].number != number {
		s.counts = append(s.counts, bucket{})
		copy(s.counts[at+1:], s.counts[at:])
		s.counts[at] = bucket{number: number}
	}
	b := &s.counts[at]
	b.count += min(count, math.MaxUint32-b.count)
}

// place returns where the bucket with that number is, or belongs.
func (s *Sketch) place(number uint16) int {
	low, high := 0, len(s.counts)
	for low < high {
		if mid := (low + high) / 2; s.counts[mid].number < number {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

func (s *Sketch) addSum(us uint64) { s.sum = min(saturated(s.sum, us), MaxSum) }

// saturated returns the sum of two numbers, or the largest there is.
func saturated(a, b uint64) uint64 { return a + min(b, math.MaxUint64-a) }

// Count returns how many durations were counted.
func (s *Sketch) Count() uint64 { return s.count }

// Sum returns all durations together, in microseconds: at most [MaxSum]. Those of a sketch that was decoded are within
// 1/64.
func (s *Sketch) Sum() uint64 { return s.sum }

// Max returns the longest duration, in microseconds, 0 when none was counted. That of a sketch that was decoded is
// within 1/64.
func (s *Sketch) Max() uint32 { return s.max }

// Quantile returns a duration that is within 1/64 of the q-quantile, in microseconds: the least duration than which a share of
// at least q took no longer. q is 0 to 1, and is cut off to that. It returns 0 when none was counted.
func (s *Sketch) Quantile(q float64) uint32 {
	var all uint64
	for _, b := range s.counts {
		all += uint64(b.count)
	}
	if all == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(min(max(0, q), 1)*float64(all)))) // of the one that is asked for, from 1
	var passed uint64
	for _, b := range s.counts {
		if passed += uint64(b.count); passed >= rank {
			return min(middle(b.number), s.max)
		}
	}
	return s.max
}
