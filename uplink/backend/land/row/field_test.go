package row

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// later is a schema with what a later version may bring.
const later = `
name: "later.proto" package: "later" syntax: "proto3"
enum_type {name: "Colour" value {name: "COLOUR_UNSPECIFIED" number: 0} value {name: "COLOUR_DARK_RED" number: 1}}
enum_type {name: "Plain" value {name: "ZERO" number: 0} value {name: "ONE" number: 1}}
message_type {name: "Kind"
  field {name: "flag" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL}
  field {name: "single" number: 2 type: TYPE_FLOAT label: LABEL_OPTIONAL}
  field {name: "double" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL}
  field {name: "fixed" number: 4 type: TYPE_FIXED64 label: LABEL_OPTIONAL}
  field {name: "signed" number: 5 type: TYPE_SFIXED32 label: LABEL_OPTIONAL}
  field {name: "list" number: 6 type: TYPE_INT64 label: LABEL_REPEATED}
  field {name: "map" number: 7 type: TYPE_MESSAGE type_name: ".later.Kind.MapEntry" label: LABEL_REPEATED}
  field {name: "again" number: 8 type: TYPE_MESSAGE type_name: ".later.Kind" label: LABEL_OPTIONAL}
  field {name: "inner" number: 9 type: TYPE_MESSAGE type_name: ".later.Inner" label: LABEL_OPTIONAL}
  field {name: "colour" number: 10 type: TYPE_ENUM type_name: ".later.Colour" label: LABEL_OPTIONAL}
  field {name: "plain" number: 11 type: TYPE_ENUM type_name: ".later.Plain" label: LABEL_OPTIONAL}
  field {name: "kind" number: 12 type: TYPE_STRING label: LABEL_OPTIONAL}
  field {name: "date" number: 13 type: TYPE_STRING label: LABEL_OPTIONAL}
  field {name: "seq" number: 14 type: TYPE_STRING label: LABEL_OPTIONAL}
  field {name: "inner_bytes" number: 15 type: TYPE_BYTES label: LABEL_OPTIONAL}
  field {name: "maybe" number: 16 type: TYPE_STRING label: LABEL_OPTIONAL proto3_optional: true oneof_index: 1}
  field {name: "left" number: 17 type: TYPE_INT32 label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "right" number: 18 type: TYPE_BYTES label: LABEL_OPTIONAL oneof_index: 0}
  oneof_decl {name: "side"} oneof_decl {name: "_maybe"}
  nested_type {name: "MapEntry" options {map_entry: true}
    field {name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL}
    field {name: "value" number: 2 type: TYPE_MESSAGE type_name: ".later.Inner" label: LABEL_OPTIONAL}}
}
message_type {name: "Inner"
  field {name: "count" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL}
  field {name: "bytes" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL}
  field {name: "deep" number: 3 type: TYPE_MESSAGE type_name: ".later.Deep" label: LABEL_OPTIONAL}
}
message_type {name: "Deep" field {name: "text" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL}}
`

func laterKind(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(later), &file); err != nil {
		t.Fatal(err)
	}
	d, err := protodesc.NewFile(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Messages().ByName("Kind")
}

func (v Value) show(t Type) string {
	switch {
	case v.Null:
		return "null"
	case t == String || t == Bytes:
		return fmt.Sprintf("%q", v.Text)
	case t == Float:
		return fmt.Sprint(math.Float32frombits(uint32(v.Bits)))
	case t == Double:
		return fmt.Sprint(math.Float64frombits(v.Bits))
	case t == Uint32 || t == Uint64:
		return fmt.Sprint(v.Bits)
	}
	return fmt.Sprint(int64(v.Bits))
}

func TestFields(t *testing.T) {
	d := laterKind(t)
	table := newTable("later")
	fields := newFields(table, d, "")
	columns := table.Columns[len(lineageColumns()):]

	tests := []struct{ name, text, want string }{
		{"empty", ``, `flag=0 single=0 double=0 fixed=0 signed=0 list=null map=null again=null inner_count=null inner_bytes=null inner_deep_text=null ` +
			`colour=null plain="zero" later_kind=null later_date=null later_seq=null later_inner_bytes=null maybe=null left=null right=null`},
		{"numbers", `flag: true single: 0.5 double: -1e300 fixed: 18446744073709551615 signed: -2147483648 left: 0`,
			`flag=1 single=0.5 double=-1e+300 fixed=18446744073709551615 signed=-2147483648 left=0`},
		{"JSON", `list: [3, -9007199254740993] map {key: "b" value {count: 1}} map {key: "a" value {bytes: "\377"}} again {kind: "x" list: 1}`,
			`list="[\"3\",\"-9007199254740993\"]" map="{\"a\":{\"bytes\":\"/w==\"},\"b\":{\"count\":1}}" again="{\"list\":[\"1\"],\"kind\":\"x\"}"`},
		{"a message in it", `inner {}`, `inner_count=0 inner_bytes=null inner_deep_text=null`},
		{"messages in it", `inner {count: 7 bytes: "\377\000" deep {text: "x"}} inner_bytes: "\001"`, `inner_count=7 inner_bytes="ff00" inner_deep_text="x" later_inner_bytes="01"`},
		{"enums", `colour: COLOUR_DARK_RED plain: ONE`, `colour="dark_red" plain="one"`},
		{"newer enum", `colour: 77`, `colour="77"`},
		{"set and empty", `maybe: "" right: ""`, `maybe="" right="" left=null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := dynamicpb.NewMessage(d)
			if err := prototext.Unmarshal([]byte(tt.text), m); err != nil {
				t.Fatal(err)
			}
			values := appendFields(nil, fields, m, true)
			if len(values) != len(columns) {
				t.Fatalf("%d values for %d columns", len(values), len(columns))
			}
			got := map[string]bool{}
			var line []string
			for i, v := range values {
				if v.Null && !columns[i].Nullable {
					t.Errorf("%s is null", columns[i].Name)
				}
				line = append(line, columns[i].Name+"="+v.show(columns[i].Type))
				got[line[i]] = true
			}
			for want := range strings.SplitSeq(tt.want, " ") {
				if !got[want] {
					t.Errorf("want %s, got %s", want, strings.Join(line, " "))
				}
			}
		})
	}
}

func TestFieldColumns(t *testing.T) {
	table := newTable("later")
	newFields(table, laterKind(t), "")
	want := map[string]Column{
		"flag": {Type: Bool}, "single": {Type: Float}, "double": {Type: Double}, "fixed": {Type: Uint64}, "signed": {Type: Int32},
		"list": {Type: String, Nullable: true}, "inner_count": {Type: Uint32, Nullable: true}, "colour": {Type: String, Nullable: true, Few: true},
		"left": {Type: Int32, Nullable: true}, "later_kind": {Type: String, Nullable: true},
	}
	for _, c := range table.Columns {
		if w, ok := want[c.Name]; ok {
			w.Name = c.Name
			if c != w {
				t.Errorf("%+v, want %+v", c, w)
			}
			delete(want, c.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("no columns %v", want)
	}
}
