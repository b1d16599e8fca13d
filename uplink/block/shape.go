package block

import "errors"

const (
	maxFields   = 256       // of a block, messages included
	maxChildren = 64        // of a message
	maxDepth    = 8         // of messages in messages, the event included
	maxNumber   = 1<<29 - 1 // https://protobuf.dev/programming-guides/proto3/#assigning
)

var (
	errFields = errors.New("it has too many fields")
	errField  = errors.New("it describes a field that can't be")
)

// shape codes a field: those below it, and how its column is coded.
func (p *pass) shape(f *field, u *usual, depth int) {
	f.id, f.usual, f.latest = len(p.fields), u, u.value
	p.fields = append(p.fields, f)
	if len(p.fields) > maxFields || f.kind.nested() && depth > maxDepth {
		p.fail(errFields)
	}
	if !p.charge(memoryOfField) {
		return
	}
	o := &p.outline
	switch {
	case f.kind.nested():
		p.children(f, u.fields, depth)
		f.style = style(p.flag(int(f.style), &o.varied))
	case f.kind.numeric():
		f.style = style(p.choose(int(f.style), 2, o.style[u.style][:]))
	default:
		f.style = style(p.flag(int(f.style), &o.several))
	}
}

// children codes the fields of a message: which of the usual ones it has, and in their midst what is not usual.
func (p *pass) children(f *field, usuals []usual, depth int) {
	for place := 0; p.err == nil; place++ {
		var child *field
		if p.mode == writing && place < len(f.fields) {
			child = f.fields[place]
		}
		u, there := p.which(child, &usuals)
		if !there {
			return
		}
		if place == maxChildren {
			p.fail(errFields)
			return
		}
		if p.mode == reading {
			child = &field{number: u.number, kind: u.kind}
			f.fields = append(f.fields, child)
		}
		child.place = place
		if u == &unusual {
			p.describe(f, child)
		}
		p.shape(child, u, depth+1)
	}
}

// which codes what the next field of a message is, nil for none: one of the usual fields that are left, or unusual.
func (p *pass) which(child *field, usuals *[]usual) (u *usual, there bool) {
	for len(*usuals) > 0 {
		u, rest := &(*usuals)[0], (*usuals)[1:]
		if p.flag(asBit(child.is(u)), &p.outline.usual[asBit(u.seldom)]) == 1 {
			*usuals = rest
			return u, true
		}
		if p.flag(asBit(child != nil && child.among(rest) == &unusual), &p.outline.extra) == 1 {
			return &unusual, true
		}
		*usuals = rest
	}
	return &unusual, p.flag(asBit(child != nil), &p.outline.extra) == 1
}

// is reports whether f is that usual field.
func (f *field) is(u *usual) bool { return f != nil && f.number == u.number && f.kind == u.kind }

// among returns the one of the usual fields that f is, or unusual.
func (f *field) among(usuals []usual) *usual {
	for i := range usuals {
		if f.is(&usuals[i]) {
			return &usuals[i]
		}
	}
	return &unusual
}

// describe codes what a field is that is not usual.
func (p *pass) describe(parent, f *field) {
	f.kind = kind(p.choose(int(f.kind), 3, p.outline.kind[:]))
	switch {
	case parent.kind == kindPacked:
		if !f.kind.numeric() {
			p.fail(errField)
		}
	case f.kind == kindRaw:
		if parent.id != 0 {
			p.fail(errField)
		}
	default:
		before := int64(0)
		if f.place > 0 {
			before = int64(parent.fields[f.place-1].number)
		}
		number := p.literals.number(p.coder, int64(f.number), before+1)
		if number < 1 || number > maxNumber {
			p.fail(errField)
		}
		f.number = int32(number)
	}
}
