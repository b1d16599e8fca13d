package block

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"
)

// forger writes blocks that Encode never makes.
type forger struct{ *pass }

func newForger(events int) forger {
	p := newPass(newWriter([]byte{version}))
	p.allowed = limits{1 << 30, 1 << 30}
	p.raw(uint64(events-1), countBits)
	return forger{p}
}

// shape writes a tree as pass.shape does, and checks nothing.
func (g forger) shape(f *field, u *usual) {
	f.id, f.usual = len(g.fields), u
	g.fields = append(g.fields, f)
	o := &g.outline
	switch {
	case f.kind.nested():
		usuals := u.fields
		for place, child := range f.fields {
			child.place = place
			next, _ := g.which(child, &usuals)
			if next == &unusual {
				g.describe(f, child)
			}
			g.shape(child, next)
		}
		g.which(nil, &usuals)
		g.flag(int(f.style), &o.varied)
	case f.kind.numeric():
		g.choose(int(f.style), 2, o.style[u.style][:])
	default:
		g.flag(int(f.style), &o.several)
	}
	g.err = nil
}

// finish returns the block, with so many zeros after it.
func (g forger) finish(zeros int) []byte {
	g.raw(0, checkBits)
	return append(g.pass.finish(), make([]byte, zeros)...)
}

// wide returns a message of n fields of that kind.
func wide(n int, k kind) *field {
	f := &field{kind: kindMessage}
	for i := range n {
		f.fields = append(f.fields, &field{number: int32(200 + i), kind: k})
	}
	return f
}

// deep returns n messages in each other.
func deep(n int) *field {
	f := &field{number: 200, kind: kindMessage}
	if n > 1 {
		f.fields = []*field{deep(n - 1)}
	}
	return f
}

func TestForgedShape(t *testing.T) {
	in := func(outer kind, f *field) *field {
		return &field{kind: kindMessage, fields: []*field{{number: 200, kind: outer, fields: []*field{f}}}}
	}
	crowd := &field{kind: kindMessage}
	for i := range 5 {
		f := wide(60, kindVarint)
		f.number = int32(200 + i)
		crowd.fields = append(crowd.fields, f)
	}
	for name, test := range map[string]struct {
		root *field
		want error
	}{
		"64 fields":                  {wide(64, kindVarint), errCheck},
		"65 fields":                  {wide(65, kindVarint), errFields},
		"306 fields":                 {crowd, errFields},
		"8 messages in each other":   {deep(8), errCheck},
		"9 messages in each other":   {deep(9), errFields},
		"a field with the number 0":  {&field{kind: kindMessage, fields: []*field{{kind: kindVarint}}}, errField},
		"a field with the number -1": {&field{kind: kindMessage, fields: []*field{{number: -1, kind: kindVarint}}}, errField},
		"a field with a number too large": {
			&field{kind: kindMessage, fields: []*field{{number: 1 << 29, kind: kindVarint}}}, errField,
		},
		"raw in the event":          {&field{kind: kindMessage, fields: []*field{{kind: kindRaw}}}, errCheck},
		"raw in a message":          {in(kindMessage, &field{kind: kindRaw}), errField},
		"a number in a list":        {in(kindPacked, &field{kind: kindVarint}), errCheck},
		"a string in a list":        {in(kindPacked, &field{kind: kindBytes}), errField},
		"a message in a list":       {in(kindPacked, &field{kind: kindMessage}), errField},
		"raw in a list":             {in(kindPacked, &field{kind: kindRaw}), errField},
		"a list in another":         {in(kindPacked, &field{kind: kindPacked}), errField},
		"a message of its own kind": {in(kindMessage, &field{number: 1, kind: kindMessage}), errCheck},
	} {
		t.Run(name, func(t *testing.T) {
			g := newForger(1)
			g.shape(test.root, &usualEvent)
			// Values that make sense or not: the check is wrong at the end.
			p := newPass(newReader(g.finish(100)[1:]))
			p.raw(0, countBits)
			p.shape(&field{kind: kindMessage}, &usualEvent, 1)
			if p.err == nil {
				p.err = errCheck
			}
			if p.err != test.want {
				t.Errorf("error is %v, want %v", p.err, test.want)
			}
		})
	}
}

// A base must come before, and be a number.
func TestForgedBase(t *testing.T) {
	for name, test := range map[string]struct {
		field int
		want  error
	}{
		"number before":  {2, nil},
		"message before": {0, errField},
		"string before":  {1, errField},
		"itself":         {3, errField},
		"one after":      {4, errField},
		"none":           {255, errField},
	} {
		t.Run(name, func(t *testing.T) {
			root := &field{kind: kindMessage, fields: []*field{
				{number: 1, kind: kindBytes, values: []int64{0}},
				{number: 2, kind: kindVarint, style: styleStream, values: []int64{5}, plans: []plan{{step: 1}}},
				{number: 3, kind: kindVarint, style: styleStream, values: []int64{5}, plans: []plan{{base: base{baseField, test.field}, step: 1}}},
				{number: 4, kind: kindVarint, values: []int64{5}},
			}, values: []int64{15}}
			g := newForger(1)
			g.strings = [][]byte{{}}
			g.shape(root, &unusual)
			g.event(nil)
			p := newPass(newReader(g.finish(100)[1:]))
			p.raw(0, countBits)
			p.shape(&field{kind: kindMessage}, &unusual, 1)
			p.event(nil)
			if p.err != test.want {
				t.Errorf("error is %v, want %v", p.err, test.want)
			}
		})
	}
}

// A block that is short and promises much is refused before that costs anything.
func TestForgedLimits(t *testing.T) {
	count := make([]int64, MaxEvents)
	for i := range count {
		count[i] = int64(i)
	}
	filled := func(f *field, values []int64, s style) *field {
		f.values = make([]int64, MaxEvents)
		for _, child := range f.fields {
			child.style, child.values = s, values
		}
		return f
	}
	entries := func() *field { return filled(wide(60, kindBytes), count, styleChoice) }
	constant := func() *field { return filled(wide(1, kindBytes), make([]int64, MaxEvents), styleConstant) }
	xs := func(n int) [][]byte { return [][]byte{bytes.Repeat([]byte("x"), n)} }
	// 240 columns that count, of which every number takes three decisions, and those next to no bytes.
	counters := func() *field {
		f := &field{kind: kindMessage, values: make([]int64, MaxEvents)}
		for i := range 4 {
			child := wide(60, kindVarint)
			child.number, child.values = int32(200+i), make([]int64, MaxEvents)
			for _, column := range child.fields {
				column.style, column.values, column.plans = styleStream, count, []plan{{step: 1}}
			}
			f.fields = append(f.fields, child)
		}
		return f
	}
	// 240 columns of eight streams each.
	streams := func() *field {
		f := &field{kind: kindMessage, style: styleChoice, values: make([]int64, MaxEvents)}
		for i := range 4 {
			child := wide(60, kindVarint)
			child.number, child.values = int32(200+i), make([]int64, MaxEvents)
			for _, column := range child.fields {
				column.style, column.values, column.plans = styleStreams, make([]int64, MaxEvents), slices.Repeat([]plan{{step: 1}}, maxStreams)
			}
			f.fields = append(f.fields, child)
		}
		for i := range 3 {
			f.fields = append(f.fields, &field{number: int32(204 + i), kind: kindVarint, values: make([]int64, MaxEvents)})
		}
		for i := range f.values {
			f.values[i] = 15 | int64(i%8)<<4
		}
		return f
	}
	for name, test := range map[string]struct {
		root    *field
		strings [][]byte
		zeros   int
		want    error
	}{
		"2,000 streams":              {streams(), nil, 0, errMemory},
		"60,000 entries":             {entries(), make([][]byte, MaxEvents), 0, errMemory},
		"60,000 entries, and zeros":  {entries(), make([][]byte, MaxEvents), 1000, errMemory},
		"2 MB of events":             {constant(), xs(2000), 0, errMemory},
		"2 MB of events, and zeros":  {constant(), xs(2000), 10_000, errMemory},
		"more than a MiB, and zeros": {constant(), xs(1_100_000), 1_000_000, errMemory},
		"300,000 characters":         {constant(), xs(300_000), 0, errWork},
		"240,000 numbers":            {counters(), nil, 500, errWork},
		"240,000 numbers, and zeros": {counters(), nil, 2000, errCheck},
		"half a MB of events":        {constant(), xs(500), 0, errMemory},
		"half a MB of events, zeros": {constant(), xs(500), 1000, errCheck},
	} {
		t.Run(name, func(t *testing.T) {
			g := newForger(MaxEvents)
			g.strings = test.strings
			g.shape(test.root, &usualEvent)
			written := 0
			for range MaxEvents {
				if written += len(g.event(nil)); written > 4*MaxBytes { // no reader gets that far
					break
				}
			}
			block := g.finish(test.zeros)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := Decode(block)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, test.want) || got != nil {
				t.Errorf("%d events of a block of %d bytes, error %v, want %v", len(got), len(block), err, test.want)
			}
			if took, most := after.TotalAlloc-before.TotalAlloc, uint64(min(256<<10+len(block)<<13, 16<<20)); took > most {
				t.Errorf("a block of %d bytes took %d bytes of memory, want no more than %d", len(block), took, most)
			}
		})
	}
}

// A text that is too long is refused before its characters are read.
func TestForgedText(t *testing.T) {
	root := wide(1, kindBytes)
	root.values, root.fields[0].values = []int64{1}, []int64{0}
	g := newForger(1)
	g.strings = [][]byte{bytes.Repeat([]byte("x"), 200_000)}
	g.shape(root, &usualEvent)
	g.event(nil)
	block := g.finish(0)

	p := newPass(newReader(block[1:]))
	p.allowed = limitsFor(len(block))
	p.raw(0, countBits)
	p.shape(&field{kind: kindMessage}, &usualEvent, 1)
	p.event(nil)
	if p.err != errWork || p.work > 1000 {
		t.Errorf("%d decisions and error %v, want %v after a few", p.work, p.err, errWork)
	}
}
