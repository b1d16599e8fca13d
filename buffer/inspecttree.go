package buffer

import (
	"bytes"
	"fmt"
	"iter"
	"runtime/debug"
)

// entries returns the entries of a bucket from the key low on, in order, with what the journal holds laid over them.
func (f *File) entries(bucket, low []byte) iter.Seq[element] {
	return func(yield func(element) bool) {
		over := f.held[string(bucket)]
		for len(over) > 0 && bytes.Compare(over[0].key, low) < 0 {
			over = over[1:]
		}
		// before yields what the journal holds up to the key, and reports whether to go on and whether it takes the key's place.
		before := func(key []byte) (on, taken bool) {
			for len(over) > 0 && (key == nil || bytes.Compare(over[0].key, key) <= 0) {
				e := over[0]
				over = over[1:]
				taken = key != nil && bytes.Equal(e.key, key)
				if e.value != nil && !yield(e) {
					return false, taken
				}
			}
			return true, taken
		}
		on := f.inFile(string(bucket), low, func(e element) bool {
			on, taken := before(e.key)
			return on && (taken || yield(e))
		})
		if on {
			before(nil)
		}
	}
}

// inFile calls fn for the entries of a bucket in the file from the key low on, in order, until fn returns false, and
// reports whether it did not.
func (f *File) inFile(bucket string, low []byte, fn func(element) bool) bool {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer f.survive()
	header := f.tree[bucket]
	if len(header) < bucketHeader {
		return true
	}
	if root := le.Uint64(header); root != 0 {
		return f.seek(root, low, fn)
	}
	inline := header[bucketHeader:]
	if len(inline) < pageHeader || le.Uint16(inline[8:]) != flagLeaf {
		return true
	}
	return inLeaf(f.fresh(), inline, low, fn)
}

// survive notes as damage that the disk has not given a page.
func (f *File) survive() {
	switch r := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }: // a fault, see [debug.SetPanicOnFault]
		f.damage = fmt.Errorf("%w: a page can't be read: %v", errDamaged, r)
	default:
		panic(r)
	}
}

// seek is inFile for a bucket whose root has a page of its own.
func (f *File) seek(root uint64, low []byte, fn func(element) bool) bool {
	return f.descend(f.fresh(), root, low, fn)
}

// fresh returns the pages with none of them seen. In a file without damage no page is come to twice, and seen is nil.
func (f *File) fresh() *pages {
	p := *f.pages
	p.seen = nil
	if f.damage != nil {
		p.seen = make([]bool, len(f.pages.seen))
	}
	return &p
}

func (f *File) descend(p *pages, id uint64, low []byte, fn func(element) bool) bool {
	b := p.page(id)
	if b == nil || p.seen != nil && p.seen[id] {
		return true
	}
	if p.seen != nil {
		p.seen[id] = true
	}
	switch le.Uint16(b[8:]) {
	case flagLeaf:
		return inLeaf(p, b, low, fn)
	case flagBranch:
		children := p.branch(b)
		for i, c := range children {
			if i+1 < len(children) && children[i+1].first != nil && bytes.Compare(children[i+1].first, low) <= 0 {
				continue // all of it is below low
			}
			if !f.descend(p, c.page, low, fn) {
				return false
			}
		}
	}
	return true
}

func inLeaf(p *pages, b, low []byte, fn func(element) bool) bool {
	for _, e := range p.leaf(b) {
		if bytes.Compare(e.key, low) >= 0 && !fn(e) {
			return false
		}
	}
	return true
}
