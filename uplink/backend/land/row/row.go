// Package row turns the entries of the log into rows: which kinds there are, which columns each has, and their values.
// Columns are taken from the schema in uplink/wire, so that a new field or a new kind of event needs no change here.
//
// Landers use it, so that every store has the same columns. It does no I/O, and nothing that came from a terminal makes
// it fail: what can't be read becomes a row of the kind "rejected".
package row

// Type is what a column holds.
type Type uint8

// The types. An unsigned integer keeps its range.
const (
	String Type = 1
	Bytes  Type = 2
	Bool   Type = 3
	Int32  Type = 4
	Int64  Type = 5
	Uint32 Type = 6
	Uint64 Type = 7
	Float  Type = 8
	Double Type = 9
	// Time is milliseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999.
	Time Type = 10
)

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Nullable bool // null means unknown
	Few      bool // few different values are to be expected
}

// Value is the value of one column in one row.
type Value struct {
	Null bool
	Text string // of String and Bytes
	// Bits is the value of every other type: two's complement, IEEE 754, or 0 and 1.
	Bits uint64
}

func text(s string) Value { return Value{Text: s} }

func number(n int64) Value { return Value{Bits: uint64(n)} }

// orNull returns the text, null when it is empty: empty means unknown throughout the schema.
func orNull(s string) Value { return Value{Text: s, Null: s == ""} }
