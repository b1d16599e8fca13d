package parquet

import (
	"math"
	"reflect"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"github.com/stampd/stampd/uplink/backend/land/row"
)

// shape is a table's columns as Parquet has them.
type shape struct {
	columns []row.Column
	schema  *pq.Schema
}

func newShape(t *row.Table) *shape {
	group, order := pq.Group{}, map[string]int{}
	for i, c := range t.Columns {
		group[c.Name] = node(c)
		order[c.Name] = i
	}
	root := ordered{Group: group, fields: make([]pq.Field, len(t.Columns))}
	for _, f := range group.Fields() {
		root.fields[order[f.Name()]] = f
	}
	return &shape{columns: t.Columns, schema: pq.NewSchema(t.Kind, root)}
}

// ordered is a group whose columns keep their order, where a group's own is that of the names.
type ordered struct {
	pq.Group
	fields []pq.Field
}

func (o ordered) Fields() []pq.Field { return o.fields }

// GoType returns a struct in the order of the columns.
func (o ordered) GoType() reflect.Type {
	fields := make([]reflect.StructField, len(o.fields))
	for i, f := range o.fields {
		fields[i] = reflect.StructField{Name: "C" + f.Name(), Type: f.GoType(), Tag: reflect.StructTag(`parquet:"` + f.Name() + `"`)}
	}
	return reflect.StructOf(fields)
}

// node returns the type and the encoding of a column.
func node(c row.Column) pq.Node {
	var n pq.Node
	var e encoding.Encoding = &pq.DeltaBinaryPacked
	switch c.Type {
	case row.String:
		n, e = pq.String(), &pq.DeltaLengthByteArray
	case row.Bytes:
		n, e = pq.Leaf(pq.ByteArrayType), &pq.DeltaLengthByteArray
	case row.Bool:
		n, e = pq.Leaf(pq.BooleanType), &pq.Plain
	case row.Int32:
		n = pq.Int(32)
	case row.Int64:
		n = pq.Int(64)
	case row.Uint32:
		n = pq.Uint(32)
	case row.Uint64:
		n = pq.Uint(64)
	case row.Float:
		n, e = pq.Leaf(pq.FloatType), &pq.Plain
	case row.Double:
		n, e = pq.Leaf(pq.DoubleType), &pq.Plain
	case row.Time:
		n = pq.Timestamp(pq.Millisecond)
	}
	if c.Few {
		e = &pq.RLEDictionary
	}
	n = pq.Encoded(n, e)
	if c.Nullable {
		n = pq.Optional(n)
	}
	return n
}

// value returns the value of a column. A text's bytes are given beside it, since they live as long as the row.
func (s *shape) value(column int, v row.Value, text []byte) pq.Value {
	c := s.columns[column]
	if v.Null && c.Nullable {
		return pq.NullValue().Level(0, 0, column)
	}
	definition := 0
	if c.Nullable {
		definition = 1
	}
	return plain(c.Type, v.Bits, text).Level(0, definition, column)
}

func plain(t row.Type, bits uint64, text []byte) pq.Value {
	switch t {
	case row.String, row.Bytes:
		return pq.ByteArrayValue(text)
	case row.Bool:
		return pq.BooleanValue(bits != 0)
	case row.Int32, row.Uint32:
		return pq.Int32Value(int32(bits))
	case row.Float:
		return pq.FloatValue(math.Float32frombits(uint32(bits)))
	case row.Double:
		return pq.DoubleValue(math.Float64frombits(bits))
	}
	return pq.Int64Value(int64(bits))
}
