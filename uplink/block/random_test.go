package block_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

// random makes events of every kind in the schema, with any values that their types can have.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0))} }

// event makes an event of any kind.
func (r random) event() *wire.Event {
	e := new(wire.Event)
	m := e.ProtoReflect()
	kinds := m.Descriptor().Oneofs().ByName("body").Fields()
	r.fill(m.Mutable(m.Descriptor().Fields().ByName("clock")).Message())
	r.fill(m.Mutable(kinds.Get(r.IntN(kinds.Len()))).Message())
	return e
}

// fill sets some fields of a message, once in a while all or none.
func (r random) fill(m protoreflect.Message) {
	share := []float64{0, 0.1, 0.5, 0.9, 1}[r.IntN(5)]
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if r.Float64() >= share {
			continue
		}
		switch {
		case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
			for range r.IntN(4) {
				r.fill(m.Mutable(fd).List().AppendMutable().Message())
			}
		case fd.IsList():
			for range r.IntN(4) {
				m.Mutable(fd).List().Append(r.value(fd.Kind()))
			}
		case fd.Kind() == protoreflect.MessageKind:
			r.fill(m.Mutable(fd).Message())
		default:
			m.Set(fd, r.value(fd.Kind()))
		}
	}
}

func (r random) value(k protoreflect.Kind) protoreflect.Value {
	switch k {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.number()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(r.number()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind:
		return protoreflect.ValueOfInt64(r.number())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(r.number()))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(r.number()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(r.text()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.ToValidUTF8(r.text(), "é"))
	}
	panic("a field of a type that events don't have yet: " + k.String())
}

// number makes a number of any size, often one at an edge.
func (r random) number() int64 {
	edges := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt32, math.MinInt32, math.MaxUint32, 127, 128, 1 << 62}
	switch r.IntN(3) {
	case 0:
		return edges[r.IntN(len(edges))]
	case 1:
		return r.Int64N(100)
	}
	return int64(r.Uint64() >> r.IntN(64))
}

func (r random) text() string {
	b := make([]byte, []int{0, 1, 8, 64, 300}[r.IntN(5)])
	for i := range b {
		b[i] = byte(r.IntN(256))
		if r.IntN(2) == 0 {
			b[i] = 'a' + b[i]%26
		}
	}
	return string(b)
}

// encoded returns the deterministic encoding of events, as the guard makes it.
func encoded(t testing.TB, events ...*wire.Event) [][]byte {
	t.Helper()
	var all [][]byte
	for _, e := range events {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
