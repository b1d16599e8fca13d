package loyalty

// groups are accounts, and which of them are one member's. An account is known by its index.
type groups struct {
	refs   []Ref
	byRef  map[Ref]int32
	parent []int32
	erased []bool // by the account that stands for its group
}

func newGroups() groups { return groups{byRef: map[Ref]int32{}} }

func (g *groups) len() int { return len(g.refs) }

// index returns the index of an account, and gives it one when it has none.
func (g *groups) index(r Ref) int32 {
	if i, ok := g.byRef[r]; ok {
		return i
	}
	i := int32(len(g.refs))
	g.byRef[r] = i
	g.refs = append(g.refs, r)
	g.parent = append(g.parent, i)
	g.erased = append(g.erased, false)
	return i
}

// root returns the account that stands for i's group. A ring can't arise: what is in one group already is not joined.
func (g *groups) root(i int32) int32 {
	for g.parent[i] != i {
		g.parent[i] = g.parent[g.parent[i]]
		i = g.parent[i]
	}
	return i
}

// join makes two groups one.
func (g *groups) join(a, b int32) {
	if a, b = g.root(a), g.root(b); a != b {
		g.parent[b] = a
		g.erased[a] = g.erased[a] || g.erased[b]
	}
}

// bind merges and erases in the order of the entries. What is erased is merged with nothing afterwards: an entry that
// was made in ignorance of the erasure can't draw another member's account into it.
func (f *fold) bind() {
	for _, i := range f.bonds {
		g := &f.groups
		switch b := f.entries[i].Body.(type) {
		case Erase:
			g.erased[g.root(f.owner[i])] = true
		case Merge:
			a, o := g.root(f.owner[i]), g.root(g.index(b.Other))
			if a != o && (g.erased[a] || g.erased[o]) {
				f.flag(i, FlagErased)
				continue
			}
			g.join(a, o)
		}
	}
}

// of returns the group of entry i.
func (f *fold) of(i int32) int32 { return f.groups.root(f.owner[i]) }
