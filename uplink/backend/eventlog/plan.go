package eventlog

// segment is what one entry stores of a batch: lost ranges, and then consecutive records.
type segment struct {
	lost     []Range
	firstSeq uint64
	from, to int // Records[from:to]
}

// plan cuts from a batch what is known through a watermark, and returns the rest as segments and the watermark after it.
// It returns a *GapError when a number between the watermark and the batch is neither a record nor declared lost.
// The batch has passed check.
func (b *Batch) plan(through uint64) ([]segment, uint64, error) {
	var segments []segment
	next := through + 1
	seq, lost := b.FirstSeq, b.Lost

	skip := func(r Range) error {
		if r.To < next {
			return nil
		}
		if r.From > next {
			return &GapError{Want: next, Got: r.From}
		}
		if n := len(segments); n == 0 || segments[n-1].to > segments[n-1].from {
			segments = append(segments, segment{})
		}
		s := &segments[len(segments)-1]
		s.lost = append(s.lost, Range{From: next, To: r.To})
		next = r.To + 1
		s.firstSeq = next
		return nil
	}
	for i := range b.Records {
		for len(lost) > 0 && lost[0].From <= seq {
			if err := skip(lost[0]); err != nil {
				return nil, 0, err
			}
			seq = max(seq, lost[0].To+1)
			lost = lost[1:]
		}
		if seq > next {
			return nil, 0, &GapError{Want: next, Got: seq}
		}
		if seq == next {
			if len(segments) == 0 {
				segments = append(segments, segment{firstSeq: seq})
			}
			s := &segments[len(segments)-1]
			if s.from == s.to {
				s.from, s.to = i, i
			}
			s.to++
			next++
		}
		seq++
	}
	for _, r := range lost {
		if err := skip(r); err != nil {
			return nil, 0, err
		}
	}
	return segments, next - 1, nil
}

// lastSeq returns the number of the batch's last record. The batch has passed check and has records.
func (b *Batch) lastSeq() uint64 {
	last := b.FirstSeq + uint64(len(b.Records)) - 1
	for _, r := range b.Lost {
		if r.From > b.FirstSeq && r.From <= last {
			last += r.To - r.From + 1
		}
	}
	return last
}

// seqOf returns the number of the batch's record i.
func (b *Batch) seqOf(i int) uint64 {
	seq := b.FirstSeq + uint64(i)
	for _, r := range b.Lost {
		if r.From > b.FirstSeq && r.From <= seq {
			seq += r.To - r.From + 1
		}
	}
	return seq
}
