package row

import (
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// Table is one kind of rows.
type Table struct {
	// Kind is the name of the event's field in the schema ("payment"), or one of
	// "unknown", an event of a kind that this program doesn't know;
	// "rejected", a record that can't be read;
	// "lost", records that no longer exist.
	Kind    string
	Columns []Column

	fields []field
}

// newTable returns a table that has the lineage columns so far.
func newTable(kind string, more ...Column) *Table {
	return &Table{Kind: kind, Columns: append(lineageColumns(), more...)}
}

// add adds a column. Where the name is taken, by lineage or by the folders that a store may keep rows in (kind, date),
// the kind goes before it: payment_kind.
func (t *Table) add(name string, c Column) {
	taken := func(name string) bool {
		return name == "kind" || name == "date" || slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == name })
	}
	for taken(name) {
		name = t.Kind + "_" + name
	}
	c.Name = name
	t.Columns = append(t.Columns, c)
}

// Tables is all kinds of rows. It is not safe for concurrent use.
type Tables struct {
	body   protoreflect.OneofDescriptor
	events map[protoreflect.FieldNumber]*Table

	unknown, rejected, lost *Table

	values []Value // of the row at hand
}

// New returns the tables of the schema that this program was built with.
func New() *Tables {
	t := &Tables{
		body:     (*wire.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body"),
		events:   map[protoreflect.FieldNumber]*Table{},
		unknown:  newTable("unknown", Column{Name: "event", Type: String}),
		rejected: newTable("rejected", Column{Name: "reason", Type: String, Nullable: true, Few: true}, Column{Name: "raw", Type: Bytes}),
		lost:     newTable("lost", Column{Name: "to_seq", Type: Int64}),
	}
	for i := range t.body.Fields().Len() {
		f := t.body.Fields().Get(i)
		table := newTable(string(f.Name()))
		table.fields = newFields(table, f.Message(), "")
		t.events[f.Number()] = table
	}
	return t
}

// Each calls fn for every row of an entry, the same rows in the same order for the same entry, and returns fn's error.
// There is one for each event, each rejected record, and each range of lost numbers (seq is its first). The values are
// those of the table's columns, and fn must not keep them.
func (t *Tables) Each(offset uint64, e *eventlog.Entry, fn func(*Table, []Value) error) error {
	t.values = appendLineage(t.values[:0], offset, e)
	for _, l := range e.Lost {
		setPlace(t.values, l.FromSeq, 0)
		if err := t.row(t.lost, fn, number(int64(l.ToSeq))); err != nil {
			return err
		}
	}
	rejected, times := e.Rejected, eventlog.NewTimes(e)
	for i, record := range e.Records {
		seq := e.FirstSeq + uint64(i)
		if len(rejected) > 0 && rejected[0].Index == uint32(i) {
			reason := wire.RejectReason(rejected[0].Reason)
			rejected = rejected[1:]
			if err := t.reject(seq, reason, record, fn); err != nil {
				return err
			}
			continue
		}
		events, reason := eventlog.Decode(wire.Lane(e.Lane), record)
		if reason != wire.RejectReason_REJECT_REASON_UNSPECIFIED {
			if err := t.reject(seq, reason, record, fn); err != nil {
				return err
			}
			continue
		}
		for index, event := range events {
			setPlace(t.values, seq, index)
			setTime(t.values, times.Of(event.Clock))
			if err := t.event(event, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// event makes the row of an event.
func (t *Tables) event(e *wire.Event, fn func(*Table, []Value) error) error {
	setClock(t.values, e.Clock)
	m := e.ProtoReflect()
	f := m.WhichOneof(t.body)
	if f == nil {
		// These are the bytes that came, but for the order of the fields.
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			return err
		}
		return t.row(t.unknown, fn, text(hex.EncodeToString(b)))
	}
	table := t.events[f.Number()]
	lineage := len(t.values)
	t.values = appendFields(t.values, table.fields, m.Get(f).Message(), true)
	err := fn(table, t.values)
	t.values = t.values[:lineage]
	return err
}

// reject makes the row of a record that can't be read.
func (t *Tables) reject(seq uint64, reason wire.RejectReason, record []byte, fn func(*Table, []Value) error) error {
	setPlace(t.values, seq, 0)
	setTime(t.values, eventlog.Moment{})
	setClock(t.values, nil)
	return t.row(t.rejected, fn, enumValue(reason.Descriptor(), reason.Number()), text(string(record)))
}

// row makes the row of the lineage columns and more.
func (t *Tables) row(table *Table, fn func(*Table, []Value) error, more ...Value) error {
	lineage := len(t.values)
	t.values = append(t.values, more...)
	err := fn(table, t.values)
	t.values = t.values[:lineage]
	return err
}
