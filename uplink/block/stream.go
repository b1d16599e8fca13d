package block

// maxStreams is how many kinds of events have a stream of their own in a column. What comes after them shares the last.
const maxStreams = 8

// number codes the next number of one of a column's streams.
func (p *pass) number(f *field, which int, v int64) int64 {
	for len(f.streams) <= which {
		f.streams = append(f.streams, nil)
	}
	s := f.streams[which]
	if s == nil {
		if !p.charge(memoryOfStream) {
			return 0
		}
		s = new(stream)
		f.streams[which] = s
		if p.mode == writing {
			s.plan = f.plans[which]
		}
		p.plan(f, &s.plan)
		s.trend.gain = gains[s.gain]
	}
	base := p.baseOf(f, s.base)
	if !s.begun {
		s.begun = true
		usual := f.usual.value
		switch {
		case s.base.kind.onField():
			usual -= s.base.kind.of(p.fields[s.base.field].usual.value)
		case s.base.kind == baseBefore:
			usual = 0
		}
		s.first = p.first(v-base, usual, s.step)
		s.trend.see(0)
		return s.first + base
	}
	if s.number == nil {
		s.number = new(number)
	}
	foretold := s.trend.next()
	away := foretold + p.numbers.code(p.coder, s.number, (v-base-s.first)/s.step-foretold)
	s.trend.see(away)
	return s.first + away*s.step + base
}

// baseOf returns what is taken off the next number of f.
func (p *pass) baseOf(f *field, b base) int64 {
	switch {
	case b.kind == baseBefore:
		return f.latest
	case b.kind.onField():
		return b.kind.of(p.fields[b.field].latest)
	}
	return 0
}

// plan codes how a stream is coded.
func (p *pass) plan(f *field, s *plan) {
	o, known := &p.outline, asBit(f.usual == &unusual)
	if usual := usualBase(f, p.fields); p.flag(asBit(s.base == usual), &o.asBase[known]) == 1 {
		s.base = usual
	} else {
		p.base(f, &s.base)
	}
	if p.flag(asBit(s.gain == f.usual.gain), &o.asGain[known]) == 1 {
		s.gain = f.usual.gain
	} else {
		s.gain = p.choose(s.gain, 3, o.gain[:])
	}
	s.step = p.step(f, s.step)
}

// base codes a base that isn't usual.
func (p *pass) base(f *field, b *base) {
	b.kind = baseKind(p.choose(int(b.kind), 2, p.outline.base[:]))
	if !b.kind.onField() {
		b.field = 0
		return
	}
	b.field = int(p.raw(uint64(b.field), 8))
	if b.field >= f.id || !p.fields[b.field].kind.numeric() {
		p.fail(errField)
		*b = base{}
	}
}

// usualBase returns the base that the column of f usually has. Where that is a field that is not there, it is none.
func usualBase(f *field, fields []*field) base {
	b := base{kind: f.usual.base}
	if !b.kind.onField() {
		return b
	}
	for _, other := range fields[:f.id] {
		if other.usual == &usualEvent.fields[0].fields[f.usual.on-1] {
			b.field = other.id
			return b
		}
	}
	return base{}
}
