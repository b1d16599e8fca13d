package main

import (
	"encoding"
	"reflect"
	"strings"

	"github.com/stampd/stampd/uplink"
)

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// settingFields returns the field of every "section.key" of [Config].
func settingFields() map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for section := range reflect.TypeFor[Config]().Fields() {
		for setting := range section.Type.Fields() {
			setting.Index = []int{section.Index[0], setting.Index[0]}
			fields[section.Tag.Get("toml")+"."+setting.Tag.Get("toml")] = setting
		}
	}
	return fields
}

// settingTypes returns the type of every "section.key" of [Config].
func settingTypes() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for key, field := range settingFields() {
		types[key] = field.Type
	}
	return types
}

// sections returns the sections of a sorted list of keys.
func sections(keys []string) (names []string) {
	for _, k := range keys {
		name, _, _ := strings.Cut(k, ".")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// wants says in words what a setting of type t is written as.
func wants(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return strings.TrimPrefix(errDuration.Error(), "want ")
	case reflect.TypeFor[ByteSize]():
		return strings.TrimPrefix(errByteSize.Error(), "want ")
	case reflect.TypeFor[uplink.Window]():
		return strings.TrimPrefix(uplink.ErrWindow.Error(), "want ")
	case reflect.TypeFor[uplink.Proxy]():
		return strings.TrimPrefix(uplink.ErrProxy.Error(), "want ")
	}
	switch t.Kind() {
	case reflect.String:
		return `text in quotes, such as "text"`
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return `a list of text, such as ["name:pos"]`
		}
		return "a list of numbers, such as [1000, 1001]"
	case reflect.Float64:
		return "a number, such as 0.1"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number, such as 8"
	}
}
