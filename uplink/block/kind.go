package block

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// kind is how a field's value is encoded in protobuf.
type kind uint8

const (
	kindMessage kind = 0
	kindPacked  kind = 1 // a packed list: like a message whose fields, the elements, have no tags
	kindVarint  kind = 2
	kindZigzag  kind = 3
	kindFixed32 kind = 4
	kindFixed64 kind = 5
	kindBytes   kind = 6
	kindRaw     kind = 7 // a whole event that can't be taken apart: bytes without a tag
)

// nested reports whether a value is made of other fields.
func (k kind) nested() bool { return k == kindMessage || k == kindPacked }

// numeric reports whether a value is a number.
func (k kind) numeric() bool { return k >= kindVarint && k <= kindFixed64 }

// wireType returns the wire type that tags of a kind have (https://protobuf.dev/programming-guides/encoding/#structure).
func (k kind) wireType() uint64 { return [8]uint64{2, 2, 0, 0, 5, 1, 2, 0}[k] }

// kindOf returns the kind of a field with that wire type, and kindRaw where columns have none. fd is nil for one that the
// schema does not have.
func kindOf(fd protoreflect.FieldDescriptor, t protowire.Type) kind {
	switch t {
	case protowire.VarintType:
		if fd != nil && (fd.Kind() == protoreflect.Sint32Kind || fd.Kind() == protoreflect.Sint64Kind) {
			return kindZigzag
		}
		return kindVarint
	case protowire.Fixed32Type:
		return kindFixed32
	case protowire.Fixed64Type:
		return kindFixed64
	case protowire.BytesType:
		switch {
		case fd == nil:
		case fd.Kind() == protoreflect.MessageKind:
			return kindMessage
		case fd.IsPacked():
			return kindPacked
		}
		return kindBytes
	}
	return kindRaw
}

// elementKind returns the kind of the elements of a packed list.
func elementKind(fd protoreflect.FieldDescriptor) kind {
	switch fd.Kind() {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return kindFixed32
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return kindFixed64
	}
	return kindOf(fd, protowire.VarintType)
}
