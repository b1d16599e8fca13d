package block

import (
	"math"
	"math/bits"
)

// planner decides how each column is coded: it tries what there is, and takes what costs least. Costs are in 1/256 bit.
type planner struct {
	table   *table
	trial   *coder // measures
	numbers numbers
	choices choices
	series  []int64 // scratch
	best    []int64 // scratch
}

func newPlanner(t *table) *planner {
	known := beginning()
	return &planner{table: t, trial: &coder{mode: measuring}, numbers: known.numbers, choices: known.choices}
}

const (
	costOfStream = 3 << 8 // beside its plan and its numbers
	costOfEntry  = 8 << 8 // beside the bits of its number
	costOfChange = 4 << 8 // of something in a plan that is not usual
	costOfField  = 8 << 8 // to name it
	fewEntries   = 64     // a dictionary of numbers has no more
	anyEvent     = -1
)

// column decides on a column, after those before it.
func (p *planner) column(f *field) {
	distinct := distinctOf(f.values)
	switch {
	case f.kind.numeric() && len(f.values) == 1 && f.usual.style >= styleStream:
		p.streams(f, f.usual.style)
		return
	case distinct == 1:
		f.style = styleConstant
		return
	case !f.kind.numeric():
		f.style = styleChoice
		return
	}
	cost := p.streams(f, styleStream)
	if len(p.table.places) > 1 {
		together := f.plans
		if apart := p.streams(f, styleStreams); apart < cost {
			cost = apart
		} else {
			f.style, f.plans = styleStream, together
		}
	}
	if distinct <= fewEntries && p.choice(f) < cost {
		f.style = styleChoice
	}
}

// distinctOf returns how many different values there are, but no more than one more than fewEntries.
func distinctOf(values []int64) int {
	var seen [fewEntries]int64
	n := 0
next:
	for _, v := range values {
		for _, s := range seen[:n] {
			if s == v {
				continue next
			}
		}
		if n == len(seen) {
			return n + 1
		}
		seen[n] = v
		n++
	}
	return n
}

// choice returns what a column of numbers costs with a dictionary.
func (p *planner) choice(f *field) int {
	var h choice
	var entries []int64
	before := f.usual.value
	p.trial.cost = 0
	for _, v := range f.values {
		entry := 0
		for entry < len(entries) && entries[entry] != v {
			entry++
		}
		p.choices.code(p.trial, &p.numbers, &h, entry)
		if entry == len(entries) {
			p.trial.cost += costOfEntry + bits.Len64(magnitude(v-before))<<8
			entries = append(entries, v)
			before = v
		}
	}
	return p.trial.cost
}

// streams decides on the plans of a column that is to have that style, and returns what it costs.
func (p *planner) streams(f *field, s style) int {
	if s == styleStream {
		best, cost := p.stream(f, anyEvent)
		f.style, f.plans = s, []plan{best}
		return cost
	}
	var there [maxStreams]bool
	for _, row := range f.rows {
		there[p.table.sets[row]] = true
	}
	cost := 0
	f.style, f.plans = s, make([]plan, maxStreams)
	for set := range there {
		if there[set] {
			best, c := p.stream(f, set)
			f.plans[set] = best
			cost += c
		}
	}
	return cost
}

// stream returns the best plan for a column, or for its part in events with that set of fields, and what it costs. It
// chooses the base first and then the gain, both by a rough count.
func (p *planner) stream(f *field, set int) (best plan, cost int) {
	usual := usualBase(f, p.table.fields)
	least := math.MaxInt
	for _, b := range p.bases(f, set) {
		p.take(f, set, b)
		first, step := p.divide(max(1, f.usual.step))
		fixed := costOfStream + bits.Len64(magnitude(first/step))<<8
		if b != usual {
			fixed += costOfChange
			if b.kind.onField() {
				fixed += costOfField
			}
		}
		if c := fixed + min(p.rough(0), p.rough(5)); c < least {
			best, cost, least = plan{base: b, step: step}, fixed, c
			p.series, p.best = p.best, p.series
		}
	}
	p.series, p.best = p.best, p.series
	least = math.MaxInt
	for g := range gains {
		c := p.rough(g)
		if g != f.usual.gain {
			c += costOfChange
		}
		if c < least {
			best.gain, least = g, c
		}
	}
	return best, cost + p.measure(best.gain)
}

// bases returns what may be taken off the numbers of a stream: nothing, the number before, or a number that most events
// have and that comes before this one.
func (p *planner) bases(f *field, set int) []base {
	bases := []base{{}}
	if set != anyEvent {
		bases = append(bases, base{kind: baseBefore})
	}
	for _, other := range p.table.fields[:f.id] {
		if other.kind.numeric() && other.style >= styleStream && 4*len(other.rows) >= 3*len(p.table.sets) {
			bases = append(bases, base{baseField, other.id}, base{baseThousand, other.id})
		}
	}
	return bases
}
