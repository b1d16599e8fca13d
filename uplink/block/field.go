package block

// style is how a column is coded.
type style uint8

const (
	styleConstant style = 0 // the same value in every row
	styleChoice   style = 1 // values of which there are few
	styleStream   style = 2 // numbers, each near what those before it foretell
	styleStreams  style = 3 // the same, apart for each kind of event
)

// field is a field of the events of a block, and its column: the values that it has in these events. Fields are a tree
// whose root is the event. The column of a message holds which of its fields are set, a bit each; that of a string holds
// numbers that stand for strings.
type field struct {
	number int32
	kind   kind
	usual  *usual
	fields []*field // in the order in which they are encoded
	place  int      // in the fields that it is one of
	id     int      // its place among all fields of the block, the root first and each before its own fields

	style   style
	latest  int64 // the value coded last
	entries []int64
	choice  choice
	streams []*stream

	// What only writing needs.
	count  int     // in how many events it is
	rows   []int32 // the events that have the field
	values []int64 // what it is in each of them
	next   int     // the first that is not coded
	plans  []plan  // by stream
}

// stream is numbers that follow each other, and what foretells them.
type stream struct {
	plan
	begun  bool
	first  int64
	trend  trend
	number *number // nil up to the second
}

// plan is how the numbers of a stream are made small.
type plan struct {
	base base
	gain int   // index into gains
	step int64 // what all differences are multiples of, >= 1
}

// base is what is taken off each number first.
type base struct {
	kind  baseKind
	field int // the id of a field that comes before this one
}

type baseKind uint8

const (
	baseNone     baseKind = 0
	baseBefore   baseKind = 1 // the field's value in the event before, of whatever kind
	baseField    baseKind = 2 // the last value of another field
	baseThousand baseKind = 3 // a thousandth of the last value of another field, rounded down
)

// onField reports whether the base is another field.
func (k baseKind) onField() bool { return k >= baseField }

// of returns what another field's value is as a base.
func (k baseKind) of(v int64) int64 {
	if k == baseField {
		return v
	}
	thousandth := v / 1000
	if v%1000 < 0 {
		thousandth--
	}
	return thousandth
}
