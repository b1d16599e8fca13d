package block

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// parser takes events apart. Of each it keeps a list of tokens: fields with their values, in the order of the encoding.
type parser struct {
	root    *field
	fields  int // how many there are, the root included
	tokens  []token
	strings [][]byte
	known   map[string]int64 // strings by content
}

// token is a field of an event. The value of a message is the number of the token after its last; that of a string is
// its number.
type token struct {
	field *field
	value int64
}

func newParser(events [][]byte) *parser {
	return &parser{
		root:   &field{kind: kindMessage},
		fields: 1,
		tokens: make([]token, 0, 16*len(events)),
		known:  make(map[string]int64),
	}
}

// event takes an event apart. One that could not be put together again byte for byte becomes a single token.
func (p *parser) event(b []byte, d protoreflect.MessageDescriptor) {
	start := len(p.tokens)
	if p.message(b, p.root, d, 1) {
		return
	}
	p.tokens = p.tokens[:start]
	_, raw := p.child(p.root, 0, 0, kindRaw)
	p.tokens = append(p.tokens, token{p.root, int64(start + 2)}, token{raw, p.numberOf(b)})
}

// message takes the message of a field apart, and reports whether its encoding is one that follows from its values.
func (p *parser) message(b []byte, f *field, d protoreflect.MessageDescriptor, depth int) bool {
	if depth > maxDepth {
		return false
	}
	start := len(p.tokens)
	p.tokens = append(p.tokens, token{field: f})
	for place := 0; len(b) > 0; place++ {
		tag, n := varint(b)
		if n < 0 || tag>>3 < 1 || tag>>3 > maxNumber {
			return false
		}
		b = b[n:]
		number := protowire.Number(tag >> 3)
		var fd protoreflect.FieldDescriptor
		if d != nil {
			fd = d.Fields().ByNumber(number)
		}
		k := kindOf(fd, protowire.Type(tag&7))
		if k == kindRaw {
			return false
		}
		var child *field
		if place, child = p.child(f, place, int32(number), k); child == nil {
			return false
		}
		if b = p.value(b, child, fd, depth); b == nil {
			return false
		}
	}
	p.tokens[start].value = int64(len(p.tokens))
	return true
}

// value takes a value from b and returns the rest of b, which is never nil, or nil when there is no such value.
func (p *parser) value(b []byte, f *field, fd protoreflect.FieldDescriptor, depth int) []byte {
	if f.kind == kindMessage || f.kind == kindPacked || f.kind == kindBytes {
		size, n := varint(b)
		if n < 0 || size > uint64(len(b)-n) {
			return nil
		}
		content, rest := b[n:n+int(size)], b[n+int(size):]
		switch f.kind {
		case kindMessage:
			if !p.message(content, f, fd.Message(), depth+1) {
				return nil
			}
		case kindPacked:
			if !p.packed(content, f, fd, depth+1) {
				return nil
			}
		default:
			p.tokens = append(p.tokens, token{f, p.numberOf(content)})
		}
		return rest
	}
	v, n := takeNumber(b, f.kind)
	if n < 0 {
		return nil
	}
	p.tokens = append(p.tokens, token{f, v})
	return b[n:]
}

// packed takes a packed list apart.
func (p *parser) packed(b []byte, f *field, fd protoreflect.FieldDescriptor, depth int) bool {
	if depth > maxDepth {
		return false
	}
	start := len(p.tokens)
	p.tokens = append(p.tokens, token{field: f})
	for place := 0; len(b) > 0; place++ {
		_, child := p.child(f, place, 0, elementKind(fd))
		if child == nil {
			return false
		}
		v, n := takeNumber(b, child.kind)
		if n < 0 {
			return false
		}
		p.tokens = append(p.tokens, token{child, v})
		b = b[n:]
	}
	p.tokens[start].value = int64(len(p.tokens))
	return true
}

// takeNumber takes a number from b, and returns how many bytes it takes, or -1.
func takeNumber(b []byte, k kind) (int64, int) {
	switch {
	case k == kindVarint:
		v, n := varint(b)
		return int64(v), n
	case k == kindZigzag:
		v, n := varint(b)
		return protowire.DecodeZigZag(v), n
	case k == kindFixed32 && len(b) >= 4:
		return int64(binary.LittleEndian.Uint32(b)), 4
	case k == kindFixed64 && len(b) >= 8:
		return int64(binary.LittleEndian.Uint64(b)), 8
	}
	return 0, -1
}

// varint takes a varint from b, if it has no more bytes than it needs.
func varint(b []byte) (uint64, int) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 || n != protowire.SizeVarint(v) {
		return 0, -1
	}
	return v, n
}

// child returns the field with that number and kind that stands at that place of f or after it, and its own place. It is
// made when there is none, before the first with a higher number; nil when that would be one too many.
func (p *parser) child(f *field, place int, number int32, k kind) (int, *field) {
	at := len(f.fields)
	for i := place; i < len(f.fields); i++ {
		if child := f.fields[i]; child.number == number && child.kind == k {
			return i, child
		} else if child.number > number {
			at = i
			break
		}
	}
	if k != kindRaw && (p.fields >= maxFields-1 || len(f.fields) >= maxChildren-1) { // there is always room for raw
		return 0, nil
	}
	child := &field{number: number, kind: k}
	p.fields++
	f.fields = append(f.fields, nil)
	copy(f.fields[at+1:], f.fields[at:])
	f.fields[at] = child
	return at, child
}

// numberOf returns the number of a string.
func (p *parser) numberOf(b []byte) int64 {
	n, ok := p.known[string(b)]
	if !ok {
		n = int64(len(p.strings))
		p.strings = append(p.strings, b)
		p.known[string(b)] = n
	}
	return n
}
