package pci

import (
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how many messages may be nested in one another.
const maxDepth = 32

// walk looks at every field of m that is set. It returns nil when all of them may be kept.
func walk(m protoreflect.Message, depth int) (bad *Violation) {
	if depth > maxDepth {
		return &Violation{Kind: KindUncheckable}
	}
	if len(m.GetUnknown()) > 0 {
		return &Violation{Kind: KindUnknownFields}
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if bad = walkField(fd, v, depth); bad != nil {
			bad.in(string(fd.Name()))
		}
		return bad == nil
	})
	return bad
}

func walkField(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) (bad *Violation) {
	switch {
	case fd.IsMap():
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if bad = walkValue(fd.MapKey(), k.Value(), depth); bad != nil {
				bad.in("[key]")
				return false
			}
			if bad = walkValue(fd.MapValue(), v, depth); bad != nil {
				bad.in("[value]")
			}
			return bad == nil
		})
		return bad
	case fd.IsList():
		list := v.List()
		for i := range list.Len() {
			if bad := walkValue(fd, list.Get(i), depth); bad != nil {
				return bad.in("[" + strconv.Itoa(i) + "]")
			}
		}
		return nil
	}
	return walkValue(fd, v, depth)
}

func walkValue(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) *Violation {
	kind := ""
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.FloatKind,
		protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n := v.Int()
		if n >= 0 {
			kind = scanUint(uint64(n))
		} else {
			kind = scanUint(uint64(-n))
		}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		kind = scanUint(v.Uint())
	case protoreflect.StringKind:
		kind = scanText(v.String())
	case protoreflect.BytesKind:
		kind = scanText(string(v.Bytes()))
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return walk(v.Message(), depth+1)
	default:
		return &Violation{Kind: KindUncheckable}
	}
	if kind != "" {
		return &Violation{Kind: kind}
	}
	return nil
}
