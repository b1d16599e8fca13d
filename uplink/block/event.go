package block

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// event codes the next event, and appends its encoding to out.
func (p *pass) event(out []byte) []byte {
	start := len(out)
	out = p.message(p.fields[0], out)
	p.charge(len(out) - start)
	return out
}

// message codes the next message of a field, and appends its encoding to out.
func (p *pass) message(f *field, out []byte) []byte {
	set := uint64(p.column(f))
	if f.id == 0 {
		p.set = f.choice.last
	}
	for i, child := range f.fields {
		if set>>i&1 == 0 || p.err != nil {
			continue
		}
		if f.kind == kindMessage && child.kind != kindRaw {
			out = protowire.AppendVarint(out, uint64(child.number)<<3|child.kind.wireType())
		}
		if child.kind.nested() {
			out = p.nested(child, out)
		} else {
			out = p.value(child, out)
		}
	}
	return out
}

// nested codes the next message of a field, and appends its length and its encoding to out.
func (p *pass) nested(f *field, out []byte) []byte {
	start := len(out)
	out = p.message(f, append(out, 0)) // mostly the length takes a byte
	length := uint64(len(out) - start - 1)
	if more := protowire.SizeVarint(length) - 1; more > 0 {
		out = append(out, make([]byte, more)...)
		copy(out[start+1+more:], out[start+1:])
	}
	protowire.AppendVarint(out[:start], length)
	return out
}

// value codes the next value of a field, and appends its encoding to out.
func (p *pass) value(f *field, out []byte) []byte {
	v := p.column(f)
	switch f.kind {
	case kindVarint:
		return protowire.AppendVarint(out, uint64(v))
	case kindZigzag:
		return protowire.AppendVarint(out, protowire.EncodeZigZag(v))
	case kindFixed32:
		return binary.LittleEndian.AppendUint32(out, uint32(v))
	case kindFixed64:
		return binary.LittleEndian.AppendUint64(out, uint64(v))
	}
	s := p.strings[v]
	if !p.charge(len(s)) {
		return out
	}
	if f.kind == kindBytes {
		out = protowire.AppendVarint(out, uint64(len(s)))
	}
	return append(out, s...)
}
