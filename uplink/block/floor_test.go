package block_test

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

// floor is how few bits the numbers in readings take if each is coded as its difference to the one before, by itself, and
// with the statistics of the whole fleet known beforehand: the order-0 entropy of the deltas. It leaves out what a block
// must say besides: strings, the first numbers, and what its numbers are like.
type floor struct {
	rounds int
	deltas map[string]map[int64]int // by field, how often each difference was there
	before map[string]int64
}

func newFloor() *floor { return &floor{deltas: make(map[string]map[int64]int)} }

// terminal begins with another terminal.
func (f *floor) terminal() { f.before = make(map[string]int64) }

// add takes in the next round of the terminal.
func (f *floor) add(round []*wire.Event) {
	f.rounds++
	for _, e := range round {
		kind := e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("body"))
		f.walk(string(kind.Name()), e.ProtoReflect().Get(kind).Message())
		// The time is the difference to the event before, whatever its kind; the other clock is the difference to this one.
		f.delta("time", "time of "+string(kind.Name()), e.Clock.GetBootMs())
		f.delta("offset", "offset of "+string(kind.Name()), e.Clock.GetWallUnixMs()-e.Clock.GetBootMs())
	}
}

func (f *floor) walk(name string, m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if number, ok := numberIn(v); ok {
			field := name + "." + string(fd.Name())
			f.delta(field, field, number)
		}
		return true
	})
}

// numberIn returns the number that a value is, if it is one.
func numberIn(v protoreflect.Value) (int64, bool) {
	switch x := v.Interface().(type) {
	case int32:
		return int64(x), true
	case int64:
		return x, true
	case uint32:
		return int64(x), true
	case uint64:
		return int64(x), true
	case bool:
		return int64(len(fmt.Sprint(x))), true
	case protoreflect.EnumNumber:
		return int64(x), true
	}
	return 0, false
}

// delta counts the difference of a value to the last one of that name.
func (f *floor) delta(of, name string, v int64) {
	if before, ok := f.before[of]; ok {
		if f.deltas[name] == nil {
			f.deltas[name] = make(map[int64]int)
		}
		f.deltas[name][v-before]++
	}
	f.before[of] = v
}

// bytes returns the floor of a round.
func (f *floor) bytes() float64 {
	bits := 0.0
	for _, counts := range f.deltas {
		n := 0
		for _, c := range counts {
			n += c
		}
		for _, c := range counts {
			bits += float64(c) * math.Log2(float64(n)/float64(c))
		}
	}
	return bits / 8 / float64(f.rounds)
}
