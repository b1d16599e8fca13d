package block

// column codes the next value of a field.
func (p *pass) column(f *field) int64 {
	var v int64
	if p.mode == writing {
		v = f.values[f.next]
		f.next++
	}
	switch f.style {
	case styleConstant:
		if len(f.entries) == 0 {
			p.entry(f, v)
		}
		v = f.entries[0]
	case styleChoice:
		entry := 0
		if p.mode == writing {
			for entry < len(f.entries) && f.entries[entry] != v {
				entry++
			}
		}
		entry = p.choices.code(p.coder, &p.numbers, &f.choice, entry)
		if entry == len(f.entries) {
			p.entry(f, v)
		}
		v = f.entries[entry]
	case styleStream:
		v = p.number(f, 0, v)
	case styleStreams:
		v = p.number(f, min(p.set, maxStreams-1), v)
	}
	if p.work > p.allowed.work {
		p.fail(errWork)
	}
	f.latest = v
	return v
}

// entry codes a value that the column's dictionary does not have, and puts it there.
func (p *pass) entry(f *field, v int64) {
	p.charge(memoryOfEntry)
	switch {
	case f.kind.nested() && f.style == styleConstant:
		v = 1<<len(f.fields) - 1
	case f.kind.nested():
		v = int64(p.raw(uint64(v), len(f.fields)))
	case f.kind.numeric() && len(f.entries) > 0:
		v = p.literals.number(p.coder, v, f.entries[len(f.entries)-1])
	case f.kind.numeric():
		step := max(1, f.usual.step)
		if (v-f.usual.value)%step != 0 {
			step = 1
		}
		v = p.first(v, f.usual.value, p.step(f, step))
	default:
		v = p.string(f, v)
	}
	f.entries = append(f.entries, v)
}

// string codes the string that v stands for.
func (p *pass) string(f *field, v int64) int64 {
	var s []byte
	if p.mode == writing {
		s = p.strings[v]
	}
	s = p.literals.bytes(p.coder, s, f.usual.text, p.afford)
	if p.mode == reading {
		v = int64(len(p.strings))
		p.strings = append(p.strings, s)
	}
	return v
}

// first codes a number that nothing foretells but what is usual, and the step.
func (p *pass) first(v, usual, step int64) int64 {
	off := v - usual
	rest := off % step
	if p.flag(asBit(rest != 0), &p.outline.rest) == 1 {
		rest = p.literals.number(p.coder, rest, 0)
	} else {
		rest = 0
	}
	return usual + rest + step*p.literals.number(p.coder, off/step, 0)
}

// steps are the steps that have a number of their own.
var steps = [7]int64{1, 2, 5, 10, 100, 1000, 4096}

// step codes a step.
func (p *pass) step(f *field, step int64) int64 {
	usual := max(1, f.usual.step)
	if p.flag(asBit(step == usual), &p.outline.asStep[asBit(f.usual == &unusual)]) == 1 {
		return usual
	}
	which := 0
	for which < len(steps) && steps[which] != step {
		which++
	}
	if which = p.choose(which, 3, p.outline.step[:]); which < len(steps) {
		return steps[which]
	}
	if step = p.literals.number(p.coder, step, 0); step < 1 {
		p.fail(errField)
		return 1
	}
	return step
}
