package main

import (
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// enumFlag is a flag whose values are those of an enum of the schema, without its prefix and in lower case:
// PAYMENT_KIND_OFFLINE_STORED is "offline-stored". The zero value of the enum can't be given.
type enumFlag struct {
	enum   protoreflect.EnumDescriptor
	prefix string
	value  protoreflect.EnumNumber
}

func newEnumFlag(e protoreflect.Enum) *enumFlag {
	d := e.Descriptor()
	zero := string(d.Values().ByNumber(0).Name())
	return &enumFlag{enum: d, prefix: strings.TrimSuffix(zero, "UNSPECIFIED")}
}

// Set takes one of the names.
func (f *enumFlag) Set(s string) error {
	v := f.enum.Values().ByName(protoreflect.Name(f.prefix + strings.ToUpper(strings.ReplaceAll(s, "-", "_"))))
	if v == nil || v.Number() == 0 {
		return errors.New("not one of the names")
	}
	f.value = v.Number()
	return nil
}

// String returns the name that was given, or "".
func (f *enumFlag) String() string {
	if f.value == 0 {
		return ""
	}
	return f.name(f.enum.Values().ByNumber(f.value))
}

// Type is the placeholder in the help.
func (*enumFlag) Type() string { return "name" }

// Names returns every name that can be given.
func (f *enumFlag) Names() []string {
	var names []string
	for i := range f.enum.Values().Len() {
		if v := f.enum.Values().Get(i); v.Number() != 0 {
			names = append(names, f.name(v))
		}
	}
	return names
}

func (f *enumFlag) name(v protoreflect.EnumValueDescriptor) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(string(v.Name()), f.prefix), "_", "-"))
}

// enumName returns the name of a value as a flag of its type takes it; of one that this program does not know, its number.
func enumName(e protoreflect.Enum) string {
	v := e.Descriptor().Values().ByNumber(e.Number())
	if v == nil {
		return strconv.Itoa(int(e.Number()))
	}
	return newEnumFlag(e).name(v)
}

// enumsFlag is an enumFlag that can be given several times.
type enumsFlag struct {
	*enumFlag
	values []protoreflect.EnumNumber // in the order in which they were given
}

// Set takes one of the names, after those before.
func (f *enumsFlag) Set(s string) error {
	err := f.enumFlag.Set(s)
	if err == nil {
		f.values = append(f.values, f.value)
	}
	return err
}
