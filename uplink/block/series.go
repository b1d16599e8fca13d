package block

// take makes the series of a stream's numbers without their base.
func (p *planner) take(f *field, set int, b base) {
	p.series = p.series[:0]
	before := f.usual.value
	next := 0 // of the values of the other field
	for i, v := range f.values {
		var off int64
		switch {
		case b.kind == baseBefore:
			off, before = before, v
		case b.kind.onField():
			other := p.table.fields[b.field]
			for next < len(other.rows) && other.rows[next] <= f.rows[i] {
				next++
			}
			off = other.usual.value
			if next > 0 {
				off = other.values[next-1]
			}
			off = b.kind.of(off)
		}
		if set == anyEvent || p.table.sets[f.rows[i]] == set {
			p.series = append(p.series, v-off)
		}
	}
}

// divide turns the series into steps from its first number. It returns the first number, and the step: what all
// differences are multiples of, or usual when there are none.
func (p *planner) divide(usual int64) (first, step int64) {
	first = p.series[0]
	var common uint64
	for _, v := range p.series {
		for a := magnitude(v - first); a != 0; {
			common, a = a, common%a
		}
		if common == 1 {
			break
		}
	}
	step = int64(common)
	if step <= 0 {
		step = usual
		if common != 0 {
			step = 1
		}
	}
	for i, v := range p.series {
		p.series[i] = (v - first) / step
	}
	return first, step
}

// rough returns about what the series costs with that gain.
func (p *planner) rough(g int) int {
	t := trend{gain: gains[g]}
	t.see(0)
	cost := 0
	for _, v := range p.series[1:] {
		cost += logarithm(uint32(min(magnitude(v-t.next()), 1<<31)) + 1)
		t.see(v)
	}
	return cost
}

// measure returns what the series costs with that gain.
func (p *planner) measure(g int) int {
	t := trend{gain: gains[g]}
	var n number
	p.trial.cost = 0
	t.see(0)
	for _, v := range p.series[1:] {
		p.numbers.code(p.trial, &n, v-t.next())
		t.see(v)
	}
	return p.trial.cost
}
