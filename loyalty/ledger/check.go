package ledger

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Why a field is not valid, for programs.
const (
	ReasonMissing = "MISSING"
	ReasonRange   = "OUT_OF_RANGE"
	ReasonFormat  = "BAD_FORMAT"
	ReasonUnknown = "UNKNOWN_VALUE"
)

// Invalid says which field of a request can't be taken, and what to send instead. It never holds the field's value.
type Invalid struct {
	Field  string // path, such as payment.currency
	Reason string // one of the Reason constants
	Hint   string // what to do
}

// Error returns field and hint.
func (e *Invalid) Error() string { return fmt.Sprintf("%s can't be taken: %s", e.Field, e.Hint) }

func checkKey(field, key string) error {
	if key == "" {
		return &Invalid{field, ReasonMissing, "send a key of your own, the same one when you repeat the call"}
	}
	if !upTo(128, printable)(key) {
		return &Invalid{field, ReasonFormat, "send 1 to 128 printable ASCII characters"}
	}
	return nil
}

// checkEnums refuses numbers that the schema gives no name to, at any depth.
func checkEnums(m protoreflect.Message, path string) (err error) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + "." + string(f.Name())
		if !f.IsList() {
			err = checkEnum(f, v, name)
			return err == nil
		}
		for i := 0; i < v.List().Len() && err == nil; i++ {
			err = checkEnum(f, v.List().Get(i), fmt.Sprintf("%s[%d]", name, i))
		}
		return err == nil
	})
	return err
}

func checkEnum(f protoreflect.FieldDescriptor, v protoreflect.Value, name string) error {
	switch {
	case f.Enum() != nil && f.Enum().Values().ByNumber(v.Enum()) == nil:
		return &Invalid{name, ReasonUnknown, "use one of the values in the schema"}
	case f.Message() != nil:
		return checkEnums(v.Message(), name)
	}
	return nil
}

func exactly(n int, class func(byte) bool) func(string) bool {
	return func(s string) bool { return len(s) == n && all(s, class) }
}

func upTo(n int, class func(byte) bool) func(string) bool {
	return func(s string) bool { return len(s) <= n && all(s, class) }
}

func all(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func token(s string) bool {
	return upTo(64, printable)(s) && strings.Trim(s, "0123456789") != ""
}

func digit(c byte) bool               { return '0' <= c && c <= '9' }
func printable(c byte) bool           { return ' ' <= c && c <= '~' }
func capitalAlphanumeric(c byte) bool { return digit(c) || 'A' <= c && c <= 'Z' }
func lowerAlphanumeric(c byte) bool   { return digit(c) || 'a' <= c && c <= 'z' }
func alphanumeric(c byte) bool        { return capitalAlphanumeric(c) || 'a' <= c && c <= 'z' }
