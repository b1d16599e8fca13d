package sketch

import (
	"encoding/binary"
	"errors"
	"math"
)

// format is the first byte of an encoded sketch.
const format = 1

// MaxSize is the most that an encoded sketch takes, in bytes: the form, a count, and a byte or two with five more for each
// bucket.
const MaxSize = 1 + binary.MaxVarintLen64 + 6*Buckets + 1

// ErrFormat says that bytes are not an encoded sketch.
var ErrFormat = errors.New("it is not a sketch of format 1")

// Append appends the encoding of s, of up to [MaxSize] bytes: that of AppOperation.sketch, which application.proto
// describes. Nothing is appended when nothing was counted. The sum and the longest duration are not in it.
func (s *Sketch) Append(dst []byte) []byte {
	if len(s.counts) == 0 {
		return dst
	}
	var all uint64
	for _, b := range s.counts {
		all += uint64(b.count)
	}
	dst = binary.AppendUvarint(append(dst, format), all)
	var before uint16
	for _, b := range s.counts {
		dst = binary.AppendUvarint(dst, uint64(b.number-before))
		dst = binary.AppendUvarint(dst, uint64(b.count))
		before = b.number
	}
	return dst
}

// Decode returns the sketch that data encodes; no bytes are an empty one. Its sum and its longest duration are taken from the
// buckets. Each sketch has one encoding, and anything else is refused with [ErrFormat].
func Decode(data []byte) (*Sketch, error) {
	s := new(Sketch)
	if len(data) == 0 {
		return s, nil
	}
	if data[0] != format {
		return nil, ErrFormat
	}
	all, data, ok := varint(data[1:], math.MaxUint64)
	for before := -1; ok && len(data) > 0; {
		var gap, count uint64
		if gap, data, ok = varint(data, Buckets-1); !ok {
			break
		}
		if count, data, ok = varint(data, math.MaxUint32); !ok {
			break
		}
		number := max(before, 0) + int(gap)
		if number <= before || number >= Buckets || count == 0 {
			return nil, ErrFormat
		}
		s.put(uint16(number), uint32(count))
		before = number
	}
	if !ok || s.count != all || all == 0 {
		return nil, ErrFormat
	}
	return s, nil
}

// put appends a bucket above all others, with what is known of the durations in it.
func (s *Sketch) put(number uint16, count uint32) {
	s.counts = append(s.counts, bucket{number, count})
	s.count += uint64(count)
	s.addSum(uint64(middle(number)) * uint64(count))
	s.max = middle(number)
}

// varint returns the number that data begins with, and what follows it. It is not ok when the number is above most, is cut
// short, or takes a byte more than it needs.
func varint(data []byte, most uint64) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > most || size > 1 && data[size-1] == 0 {
		return 0, nil, false
	}
	return n, data[size:], true
}
