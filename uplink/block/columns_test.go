package block_test

import (
	"bytes"
	"compress/flate"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

// columns is the usual way to pack readings: of each field a column, of numbers the differences as varints, of text the
// text, and a general compressor over all of them. It leaves out which fields are set.
type columns struct {
	before map[string]int64
	bytes  map[string][]byte
}

func newColumns() *columns {
	return &columns{before: make(map[string]int64), bytes: make(map[string][]byte)}
}

// add takes in the next event.
func (c *columns) add(e *wire.Event) { c.walk("", e.ProtoReflect()) }

func (c *columns) walk(path string, m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + "." + string(fd.Name())
		if number, ok := numberIn(v); ok {
			c.bytes[name] = protowire.AppendVarint(c.bytes[name], protowire.EncodeZigZag(number-c.before[name]))
			c.before[name] = number
			return true
		}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			c.walk(name, v.Message())
		case protoreflect.StringKind:
			c.bytes[name] = protowire.AppendString(c.bytes[name], v.String())
		default:
			c.bytes[name] = protowire.AppendBytes(c.bytes[name], v.Bytes())
		}
		return true
	})
}

// all returns the columns, one after the other.
func (c *columns) all() []byte {
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(c.bytes)) {
		all = append(all, c.bytes[name]...)
	}
	return all
}

// deflater tells what flate makes of bytes.
type deflater struct {
	out bytes.Buffer
	to  *flate.Writer
}

func newDeflater(b *testing.B) *deflater {
	d := new(deflater)
	var err error
	if d.to, err = flate.NewWriter(&d.out, flate.DefaultCompression); err != nil {
		b.Fatal(err)
	}
	return d
}

// size returns how long plain is when it is compressed. Writing into memory does not fail.
func (d *deflater) size(plain []byte) int {
	d.out.Reset()
	d.to.Reset(&d.out)
	_, _ = d.to.Write(plain)
	_ = d.to.Close()
	return d.out.Len()
}
