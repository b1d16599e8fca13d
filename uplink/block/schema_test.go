package block

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// later is a schema that events may have one day: with every type that protobuf has, in lists, maps and messages.
const later = `
name: "later.proto" syntax: "proto3"
message_type {
  name: "Event"
  field { name: "clock" number: 1 type: TYPE_MESSAGE type_name: ".Clock" label: LABEL_OPTIONAL }
  field { name: "latency" number: 30 type: TYPE_MESSAGE type_name: ".Latency" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "odd" number: 31 type: TYPE_MESSAGE type_name: ".Odd" label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "site" number: 9 type: TYPE_STRING label: LABEL_OPTIONAL }
  oneof_decl { name: "body" }
}
message_type {
  name: "Clock"
  field { name: "wall" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
}
message_type {
  name: "Latency"
  field { name: "buckets" number: 1 type: TYPE_UINT64 label: LABEL_REPEATED }
  field { name: "offsets" number: 2 type: TYPE_SINT32 label: LABEL_REPEATED }
  field { name: "exact" number: 3 type: TYPE_DOUBLE label: LABEL_REPEATED }
  field { name: "rough" number: 4 type: TYPE_FLOAT label: LABEL_REPEATED }
  field { name: "names" number: 5 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "parts" number: 6 type: TYPE_MESSAGE type_name: ".Latency" label: LABEL_REPEATED }
}
message_type {
  name: "Odd"
  field { name: "a" number: 1 type: TYPE_FIXED32 label: LABEL_OPTIONAL }
  field { name: "b" number: 2 type: TYPE_SFIXED64 label: LABEL_OPTIONAL }
  field { name: "c" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "d" number: 4 type: TYPE_SINT64 label: LABEL_OPTIONAL }
  field { name: "e" number: 5 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "loose" number: 6 type: TYPE_INT32 label: LABEL_REPEATED options { packed: false } }
  field { name: "flags" number: 7 type: TYPE_BOOL label: LABEL_REPEATED }
  field { name: "deep" number: 8 type: TYPE_MESSAGE type_name: ".Odd" label: LABEL_OPTIONAL }
}`

func laterSchema(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	file := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal([]byte(later), file); err != nil {
		t.Fatal(err)
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Messages().ByName("Event")
}

// A schema that this package has never seen goes into columns, and comes out of them without the schema.
func TestLaterSchema(t *testing.T) {
	schema := laterSchema(t)
	for name, test := range map[string]struct {
		most   int // bytes of the block
		events []string
	}{
		"lists": {100, []string{
			`clock{wall:1000} latency{buckets:[5,4,3,2,1,0,0,0] offsets:[-1,1] exact:[0.5,1.5] rough:[2.5] names:["a","b"]}`,
			`clock{wall:2000} latency{buckets:[6,4,3,2,1,0,0,0] offsets:[-1,2,3] exact:[0.5] names:["a","c","b"]}`,
			`clock{wall:3000} latency{buckets:[6,5,3,2,1,0,1,0] rough:[2.5,3.5] names:"b"}`,
			`clock{wall:4000} latency{}`,
		}},
		"lists of messages": {60, []string{
			`latency{parts{buckets:[1,2]} parts{buckets:[3,4] parts{names:"x"}}} site:"here"`,
			`latency{parts{buckets:[1,3]}}`,
			`site:"there" latency{parts{} parts{buckets:[3,5] parts{names:"y"}} parts{offsets:7}}`,
		}},
		"all types": {120, []string{
			`odd{a:1 b:-1 c:3.25 d:-9223372036854775808 e:true loose:[1,2,3] flags:[true,false,true]} site:"x"`,
			`odd{a:4294967295 b:9223372036854775807 c:inf d:9223372036854775807 loose:[1,2] flags:true deep{a:7 deep{e:true}}}`,
			`odd{c:nan deep{loose:-1}}`,
			`odd{}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var events [][]byte
			for _, text := range test.events {
				m := dynamicpb.NewMessage(schema)
				if err := prototext.Unmarshal([]byte(text), m); err != nil {
					t.Fatal(err)
				}
				b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, b)
			}
			checkPack(t, events, schema, test.most)
		})
	}
}

// An event that is too deep, too wide or too much for columns is kept as it is, and those beside it are columns still.
func TestLaterSchemaLimits(t *testing.T) {
	schema := laterSchema(t)
	list := "buckets:[" + strings.Repeat("1,", 59) + "1]"
	for name, text := range map[string]string{
		"8 deep":     "odd{" + strings.Repeat("deep{", 6) + strings.Repeat("}", 7),
		"9 deep":     "odd{" + strings.Repeat("deep{", 7) + strings.Repeat("}", 8),
		"deep list":  "odd{" + strings.Repeat("deep{", 6) + "flags:true" + strings.Repeat("}", 7),
		"99 deep":    "odd{" + strings.Repeat("deep{", 98) + strings.Repeat("}", 99),
		"63 wide":    "latency{" + strings.Repeat(`names:"x" `, 63) + "}",
		"64 wide":    "latency{" + strings.Repeat(`names:"x" `, 64) + "}",
		"251 fields": "latency{" + strings.Repeat("parts{"+list+"} ", 4) + "}",
		"258 fields": "latency{" + strings.Repeat("parts{"+list+"} ", 4) + strings.Repeat(`names:"x" `, 8) + "}",
		"313 fields": "latency{" + strings.Repeat("parts{"+list+"} ", 5) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			m := dynamicpb.NewMessage(schema)
			if err := prototext.Unmarshal([]byte(text), m); err != nil {
				t.Fatal(err)
			}
			b, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			checkPack(t, [][]byte{b, {}, b, b}, schema, len(b)+100)
		})
	}
}

// checkPack packs events without falling back on the plain form, and opens the block.
func checkPack(t *testing.T, events [][]byte, schema protoreflect.MessageDescriptor, most int) {
	t.Helper()
	b, err := pack(events, schema)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > most {
		t.Errorf("%d bytes, want no more than %d", len(b), most)
	}
	got, err := Decode(b)
	if err != nil || len(got) != len(events) {
		t.Fatalf("%d events became %d (error %v)", len(events), len(got), err)
	}
	for i := range events {
		if !bytes.Equal(events[i], got[i]) {
			t.Errorf("event %d: %x became %x", i, events[i], got[i])
		}
	}
}

// A histogram is columns too: one for each bucket.
func TestHistogram(t *testing.T) {
	schema := laterSchema(t)
	latency := schema.Fields().ByName("latency")
	buckets := latency.Message().Fields().ByName("buckets")
	counts := make([]uint64, 8)
	var events [][]byte
	for n := range 100 {
		counts[n*n%7%3]++
		m := dynamicpb.NewMessage(schema)
		list := m.Mutable(latency).Message().Mutable(buckets).List()
		for _, c := range counts {
			list.Append(protoreflect.ValueOfUint64(c + 1000))
		}
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, b)
	}
	checkPack(t, events, schema, 80)
}

// A list with more elements than a message may have fields makes the event one that is kept as it is.
func TestLongList(t *testing.T) {
	schema := laterSchema(t)
	latency := schema.Fields().ByName("latency")
	m := dynamicpb.NewMessage(schema)
	list := m.Mutable(latency).Message().Mutable(latency.Message().Fields().ByName("buckets")).List()
	for n := range uint64(1000) {
		list.Append(protoreflect.ValueOfUint64(n))
	}
	long, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	checkPack(t, [][]byte{long, {}, long}, schema, len(long)+50)
}

// Every number can follow every other, with every plan there is.
func TestStreamExtremes(t *testing.T) {
	values := []int64{0, math.MaxInt64, math.MinInt64, -1, 1, math.MinInt64, math.MinInt64, math.MaxInt64, 1 << 62, -1 << 62, 999, -1000, -1}
	for g := range gains {
		for _, kind := range []baseKind{baseNone, baseBefore, baseField, baseThousand} {
			plans := []plan{{base: base{kind: kind, field: 1}, gain: g, step: 1}}
			tree := func() *field {
				other := &field{number: 1, kind: kindVarint, style: styleStream, values: values, plans: []plan{{step: 1}}}
				f := &field{number: 2, kind: kindFixed64, style: styleStream, values: values, plans: plans}
				return &field{kind: kindMessage, style: styleConstant, fields: []*field{other, f}, values: make([]int64, len(values))}
			}
			root := tree()
			w := newPass(newWriter(nil))
			w.shape(root, &unusual, 1)
			var want []byte
			for _, v := range values {
				w.event(nil)
				want = protowire.AppendVarint(protowire.AppendTag(want, 1, protowire.VarintType), uint64(v))
				want = protowire.AppendFixed64(protowire.AppendTag(want, 2, protowire.Fixed64Type), uint64(v))
			}
			r := newPass(newReader(w.finish()))
			r.shape(&field{kind: kindMessage}, &unusual, 1)
			var got []byte
			for range values {
				got = r.event(got)
			}
			if w.err != nil || r.err != nil || !bytes.Equal(got, want) {
				t.Fatalf("gain %d, base %d: %x became %x (errors %v, %v)", g, kind, want, got, w.err, r.err)
			}
		}
	}
}
