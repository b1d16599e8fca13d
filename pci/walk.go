package pci

import (
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how many messages may be nested in one another.
const maxDepth = 32

// walk looks at every field of m that is set. It returns nil when all of them may be kept.
func walk(m protoreflect.Message, depth int) (bad *Violation) {
	if depth > maxDepth || m.Descriptor().FullName() == "google.protobuf.Any" {
		return &Violation{Kind: KindUncheckable}
	}
	if len(m.GetUnknown()) > 0 {
		return &Violation{Kind: KindUnknownFields}
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if bad = walkField(fd, v, depth); bad != nil {
			bad = bad.in(string(fd.Name()))
		}
		return bad == nil
	})
	return bad
}

func walkField(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) *Violation {
	switch {
	case fd.IsMap():
		return walkMap(fd, v.Map(), depth)
	case fd.IsList():
		return walkList(fd, v.List(), depth)
	}
	return walkValue(fd, v, depth)
}

func walkMap(fd protoreflect.FieldDescriptor, m protoreflect.Map, depth int) (bad *Violation) {
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if bad = judge(fd, k.Value(), scanValue(fd.MapKey(), k.Value())); bad != nil {
			bad = bad.in("[key]")
			return false
		}
		if bad = walkMapValue(fd, v, depth); bad != nil {
			bad = bad.in("[value]")
		}
		return bad == nil
	})
	return bad
}

func walkMapValue(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) *Violation {
	if isMessage(fd.MapValue()) {
		return walk(v.Message(), depth+1)
	}
	return judge(fd, v, scanValue(fd.MapValue(), v))
}

// walkList looks at each element, and then at what they spell one after the other.
func walkList(fd protoreflect.FieldDescriptor, list protoreflect.List, depth int) *Violation {
	for i := range list.Len() {
		if bad := walkValue(fd, list.Get(i), depth); bad != nil {
			return bad.in("[" + strconv.Itoa(i) + "]")
		}
	}
	if list.Len() < 2 || isMessage(fd) {
		return nil
	}
	var c chain
	for i := range list.Len() {
		feedValue(&c, fd, list.Get(i))
		c.feed(separator)
	}
	if kind := c.end().kind(); kind != "" && !exempt(fd, protoreflect.ValueOfList(list)) {
		return &Violation{Kind: kind}
	}
	return nil
}

func walkValue(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) *Violation {
	if isMessage(fd) {
		return walk(v.Message(), depth+1)
	}
	if fd.FullName() == emvField {
		return judgeEMV(v.Bytes())
	}
	return judge(fd, v, scanValue(fd, v))
}

// scanValue looks at one value that is no message.
func scanValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) finding {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return scanText(v.String())
	case protoreflect.BytesKind:
		return scanBytes(v.Bytes())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return scanUint(magnitude(v.Int()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return scanUint(v.Uint())
	case protoreflect.DoubleKind:
		// A double holds whole numbers of up to 15 digits, and many of 16.
		if f := math.Abs(v.Float()); f < math.MaxUint64 {
			return scanUint(uint64(f))
		}
		return nothing
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.FloatKind,
		protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return nothing // no room for 13 digits
	}
	return uncheckable
}

// feedValue feeds to c how one element of a list is written.
func feedValue(c *chain, fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	var buf [20]byte
	switch fd.Kind() {
	case protoreflect.StringKind:
		feedAll(c, v.String())
	case protoreflect.BytesKind:
		feedAll(c, v.Bytes())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		feedAll(c, strconv.AppendUint(buf[:0], magnitude(v.Int()), 10))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		feedAll(c, strconv.AppendUint(buf[:0], v.Uint(), 10))
	}
}

// judge turns a finding in a value of a field into a violation, unless it may be put down to chance.
func judge(fd protoreflect.FieldDescriptor, v protoreflect.Value, f finding) *Violation {
	if f == panIfLabelled && isLabelled(fd) {
		f = pan
	}
	kind := f.kind()
	if kind == "" || exempt(fd, v) {
		return nil
	}
	return &Violation{Kind: kind}
}

// isLabelled reports whether a field is there for a payment card, by its name or by its message's.
func isLabelled(fd protoreflect.FieldDescriptor) bool {
	message := strings.ToLower(string(fd.ContainingMessage().Name()))
	if strings.Contains(message, "card") {
		return true
	}
	for word := range strings.SplitSeq(string(fd.Name()), "_") {
		switch word {
		case "card", "pan", "token", "track":
			return true
		}
	}
	return false
}

func isMessage(fd protoreflect.FieldDescriptor) bool {
	return fd.Kind() == protoreflect.MessageKind || fd.Kind() == protoreflect.GroupKind
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
