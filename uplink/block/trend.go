package block

// trend predicts the next number of a stream from those before it: a level, and what it changes by each time, both
// smoothed (Holt, 1957).
type trend struct {
	gain  gain
	seen  int32
	last  int64
	ahead int64 // the prediction less last, 16 fraction bits
	slope int64 // 16 fraction bits
}

// gain is how much of what was not foreseen goes into the level and into the slope, in 1/65536.
type gain struct{ level, slope int64 }

// gains are the gains that a stream can have.
var gains = [8]gain{
	{level: 1 << 16},                 // the last number again
	{level: 1 << 15},                 // noise around what moves
	{level: 1 << 13},                 // noise around what hardly moves
	{level: 1 << 10},                 // noise around what stays
	{level: 1 << 16, slope: 1 << 16}, // a straight line
	{level: 1 << 16, slope: 1 << 14}, // a counter that changes its pace
	{level: 1 << 16, slope: 1 << 11}, // a counter that keeps its pace
	{level: 1 << 11, slope: 1 << 4},  // noise around a straight line
}

const (
	farthest  = 1 << 30 // the prediction and the numbers are no farther apart, as far as the trend goes
	startedBy = 1 << 8  // numbers after which the gains hold
)

// next returns the prediction.
func (t *trend) next() int64 { return t.last + (t.ahead+1<<15)>>16 }

// see takes in the number that came. Gains are no smaller than one in how many numbers came, so that the first ones tell
// where the trend starts.
func (t *trend) see(v int64) {
	wrong := max(-farthest, min(v-t.last, farthest))<<16 - t.ahead
	gain := t.gain
	if t.seen < startedBy {
		t.seen++
		n := t.seen
		switch {
		case gain.slope == 0:
			gain.level = max(gain.level, int64(1<<16/n))
		case gain.level == 1<<16:
			gain.slope = max(gain.slope, int64(1<<16/max(1, n-1)))
		default: // regression
			gain.level = max(gain.level, int64((4*n-2)<<16/(n*(n+1))))
			gain.slope = max(gain.slope, int64(6<<16/(n*(n+1))))
		}
	}
	t.last = v
	if t.seen == 1 {
		return
	}
	t.slope = bounded(t.slope + part(wrong, gain.slope))
	t.ahead = bounded(part(wrong, gain.level) - wrong + t.slope)
}

// part returns that part of v, in 1/65536.
func part(v, gain int64) int64 { return v >> 8 * gain >> 8 }

// bounded cuts a difference off where it would be too far.
func bounded(v int64) int64 { return max(-farthest<<16, min(v, farthest<<16)) }
