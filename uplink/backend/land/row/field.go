package row

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// field is a field of a message: one column, or those of the message in it.
type field struct {
	protoreflect.FieldDescriptor
	asJSON bool    // lists, maps, and messages that contain themselves
	inner  []field // of a message
}

// newFields returns the fields of a message, and appends their columns to those of its table. The columns of a message
// in a field begin with the field's name. The parents are the messages around it.
func newFields(t *Table, m protoreflect.MessageDescriptor, prefix string, parents ...protoreflect.FullName) []field {
	parents = append(slices.Clip(parents), m.FullName())
	descriptors := m.Fields()
	fields := make([]field, descriptors.Len())
	for i := range fields {
		d := descriptors.Get(i)
		f := field{FieldDescriptor: d}
		name := prefix + string(d.Name())
		f.asJSON = d.Cardinality() == protoreflect.Repeated || d.Message() != nil && slices.Contains(parents, d.Message().FullName())
		switch {
		case d.Message() != nil && !f.asJSON:
			f.inner = newFields(t, d.Message(), name+"_", parents...)
		default:
			c := f.column()
			c.Nullable = c.Nullable || len(parents) > 1
			t.add(name, c)
		}
		fields[i] = f
	}
	return fields
}

// column returns the type of the field's column.
func (f *field) column() Column {
	if f.asJSON {
		return Column{Type: String, Nullable: true}
	}
	c := Column{Nullable: f.HasPresence()}
	switch f.Kind() {
	case protoreflect.BoolKind:
		c.Type = Bool
	case protoreflect.EnumKind:
		c.Type, c.Nullable, c.Few = String, true, true
	case protoreflect.StringKind, protoreflect.BytesKind:
		c.Type, c.Nullable = String, true
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		c.Type = Int32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		c.Type = Int64
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		c.Type = Uint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		c.Type = Uint64
	case protoreflect.FloatKind:
		c.Type = Float
	case protoreflect.DoubleKind:
		c.Type = Double
	}
	return c
}

// appendFields appends the columns of fields. All are null when the message isn't there.
func appendFields(dst []Value, fields []field, m protoreflect.Message, there bool) []Value {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.inner != nil:
			dst = appendFields(dst, f.inner, m.Get(f.FieldDescriptor).Message(), there && m.Has(f.FieldDescriptor))
		case !there:
			dst = append(dst, Value{Null: true})
		default:
			dst = append(dst, f.value(m))
		}
	}
	return dst
}

// value returns the field's column of a message that is there.
func (f *field) value(m protoreflect.Message) Value {
	if (f.asJSON || f.HasPresence()) && !m.Has(f.FieldDescriptor) {
		return Value{Null: true}
	}
	if f.asJSON {
		return text(jsonOf(m, f.FieldDescriptor))
	}
	v := m.Get(f.FieldDescriptor)
	switch f.Kind() {
	case protoreflect.BoolKind:
		if v.Bool() {
			return number(1)
		}
		return number(0)
	case protoreflect.EnumKind:
		return enumValue(f.Enum(), v.Enum())
	case protoreflect.StringKind:
		return Value{Text: v.String(), Null: v.String() == "" && !f.HasPresence()}
	case protoreflect.BytesKind:
		return Value{Text: hex.EncodeToString(v.Bytes()), Null: len(v.Bytes()) == 0 && !f.HasPresence()}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return Value{Bits: v.Uint()}
	case protoreflect.FloatKind:
		return Value{Bits: uint64(math.Float32bits(float32(v.Float())))}
	case protoreflect.DoubleKind:
		return Value{Bits: math.Float64bits(v.Float())}
	}
	return number(v.Int())
}

// enumValue returns the name of an enum's value in lower case without the name of its type, which the value for 0 shows
// (PAYMENT_KIND_UNSPECIFIED). That value is null, and one that this program doesn't know is its number.
func enumValue(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) Value {
	zero := e.Values().ByNumber(0)
	prefix, unspecified := strings.CutSuffix(string(zero.Name()), "UNSPECIFIED")
	switch v := e.Values().ByNumber(n); {
	case n == 0 && unspecified:
		return Value{Null: true}
	case v == nil:
		return text(strconv.Itoa(int(n)))
	case !unspecified:
		return text(strings.ToLower(string(v.Name())))
	default:
		return text(strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix)))
	}
}

// jsonOf returns one field of a message as JSON, the same for the same contents. A message that has no JSON, such as an
// Any of a type that this program doesn't know, is a string of its bytes in hex.
func jsonOf(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	only := m.New()
	only.Set(f, m.Get(f))
	object, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(only.Interface())
	if err == nil {
		var fields map[string]json.RawMessage
		var compact bytes.Buffer
		// protojson varies its spaces from build to build.
		if json.Unmarshal(object, &fields) == nil && json.Compact(&compact, fields[string(f.Name())]) == nil {
			return compact.String()
		}
	}
	b, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(only.Interface())
	return `"` + hex.EncodeToString(b) + `"`
}
