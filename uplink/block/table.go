package block

// table is the columns of a block's events, as they are to be written.
type table struct {
	root   *field
	fields []*field // by id
	sets   []int    // by event: the place of its set of fields in the root's dictionary, at most maxStreams-1
	places map[int64]int
	tokens []token
	row    int32
}

// newTable makes the columns of the events that p took apart.
func newTable(p *parser, starts []int) *table {
	t := &table{root: p.root, sets: make([]int, len(starts)), places: make(map[int64]int), tokens: p.tokens}
	for _, token := range p.tokens {
		token.field.count++
	}
	t.settle(p.root, &usualEvent)
	for row, start := range starts {
		t.row = int32(row)
		t.message(start)
	}
	return t
}

// settle gives the fields their places and ids, without those that turned out to be in no event.
func (t *table) settle(f *field, u *usual) {
	f.id, f.usual = len(t.fields), u
	t.fields = append(t.fields, f)
	f.rows = make([]int32, 0, f.count)
	f.values = make([]int64, 0, f.count)
	kept := f.fields[:0]
	for _, child := range f.fields {
		if child.count > 0 {
			child.place = len(kept)
			kept = append(kept, child)
		}
	}
	f.fields = kept
	for _, child := range kept {
		t.settle(child, child.among(u.fields))
	}
}

// message puts the message whose token is at i into the columns, and returns where the next token is.
func (t *table) message(i int) int {
	f, end := t.tokens[i].field, int(t.tokens[i].value)
	var set int64
	for j := i + 1; j < end; {
		child := t.tokens[j]
		set |= 1 << child.field.place
		j++
		if child.field.kind.nested() {
			j = int(child.value)
		}
	}
	if f == t.root {
		place, known := t.places[set]
		if !known {
			place = len(t.places)
			t.places[set] = place
		}
		t.sets[t.row] = min(place, maxStreams-1)
	}
	t.put(f, set)
	for j := i + 1; j < end; {
		if child := t.tokens[j]; child.field.kind.nested() {
			j = t.message(j)
		} else {
			t.put(child.field, child.value)
			j++
		}
	}
	return end
}

// put puts a value into a column.
func (t *table) put(f *field, v int64) {
	f.rows = append(f.rows, t.row)
	f.values = append(f.values, v)
}
