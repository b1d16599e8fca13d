package buffer

import (
	"bytes"
	"slices"
)

// element is one entry of a leaf page.
type element struct {
	key, value []byte
	sub        bool // the value is a bucket
}

// maxKey is bbolt's limit for a key, in bytes.
const maxKey = 32768

// leaf returns what a leaf page holds. bbolt writes the entries one behind the other, with nothing between: what is
// elsewhere, has an empty key or is out of order is damage. Of that, what lies within the page is returned all the same.
func (p *pages) leaf(b []byte) []element {
	count := int(le.Uint16(b[10:]))
	elements := make([]element, 0, min(count, len(b)/elementSize))
	next := int64(pageHeader + count*elementSize)
	for i := range count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(b) {
			p.damaged++
			break
		}
		e := b[at:]
		flags, start := le.Uint32(e), int64(at)+int64(le.Uint32(e[4:]))
		k, v := int64(le.Uint32(e[8:])), int64(le.Uint32(e[12:]))
		if start+k+v > int64(len(b)) || k == 0 || k > maxKey {
			p.damaged++
			continue
		}
		if start != next || flags > flagSubBucket {
			p.damaged++
		}
		next = start + k + v
		elements = append(elements, element{key: b[start : start+k], value: b[start+k : next], sub: flags&flagSubBucket != 0})
	}
	for i := 1; i < len(elements); i++ {
		if bytes.Compare(elements[i-1].key, elements[i].key) >= 0 {
			p.damaged++
		}
	}
	return elements
}

// child is one entry of a branch page.
type child struct {
	first []byte // no key under it is lower
	page  uint64
}

// branch returns what a branch page leads to, by the same rules as leaf.
func (p *pages) branch(b []byte) []child {
	count := int(le.Uint16(b[10:]))
	children := make([]child, 0, min(count, len(b)/elementSize))
	next := int64(pageHeader + count*elementSize)
	for i := range count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(b) {
			p.damaged++
			break
		}
		e := b[at:]
		start, k := int64(at)+int64(le.Uint32(e)), int64(le.Uint32(e[4:]))
		c := child{page: le.Uint64(e[8:])}
		if start != next || start+k > int64(len(b)) || k == 0 {
			p.damaged++
		} else {
			c.first = b[start : start+k]
		}
		next = start + k
		children = append(children, c)
	}
	return children
}

// walk calls fn for every entry of a bucket that can still be reached, given its root page. A page that is pointed at
// twice is damage, so the walk ends on every file.
func (p *pages) walk(root uint64, fn func(element)) { p.descend(root, true, nil, nil, fn) }

// descend walks a page whose keys must be at least low and below high; nil is no bound.
func (p *pages) descend(id uint64, root bool, low, high []byte, fn func(element)) {
	before := p.damaged
	b := p.page(id)
	if b == nil || p.seen[id] {
		p.damaged++
		p.blame(id, before)
		return
	}
	if over := uint64(le.Uint32(b[12:])); id+over >= p.end {
		p.damaged++
	}
	for i := range len(b) / p.size {
		if p.seen[int(id)+i] {
			p.damaged++
		}
		p.seen[int(id)+i] = true
	}
	count := le.Uint16(b[10:])
	switch flags := le.Uint16(b[8:]); {
	case count == 0 && (!root || flags != flagLeaf):
		p.damaged++
	case flags == flagLeaf:
		elements := p.leaf(b)
		for _, e := range elements {
			if bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
				p.damaged++
			}
		}
		p.blame(id, before)
		for _, e := range elements {
			fn(e)
		}
		return
	case flags == flagBranch:
		children := p.branch(b)
		ends := make([][]byte, len(children))
		for i, c := range children {
			ends[i] = high
			if i+1 < len(children) {
				ends[i] = children[i+1].first
			}
			if ends[i] != nil && bytes.Compare(c.first, ends[i]) >= 0 {
				p.damaged++
			}
		}
		p.blame(id, before)
		for i, c := range children {
			p.descend(c.page, false, c.first, ends[i], fn)
		}
		return
	default:
		p.damaged++
	}
	p.blame(id, before)
}

// blame notes a page in which something was found to make no sense.
func (p *pages) blame(id uint64, before int) {
	const most = 8 // to be named
	if p.damaged > before && len(p.blamed) < most && !slices.Contains(p.blamed, id) {
		p.blamed = append(p.blamed, id)
	}
}

// bucket calls fn for every entry of a bucket, given its header.
func (p *pages) bucket(header []byte, fn func(element)) {
	if len(header) < bucketHeader {
		p.damaged++
		return
	}
	if root := le.Uint64(header); root != 0 {
		p.walk(root, fn)
		return
	}
	inline := header[bucketHeader:]
	if len(inline) < pageHeader || le.Uint16(inline[8:]) != flagLeaf {
		p.damaged++
		return
	}
	for _, e := range p.leaf(inline) {
		fn(e)
	}
}

// scan calls fn for every entry of every leaf page in the file, reachable or not, and of the small buckets inside them.
func (p *pages) scan(fn func(element)) {
	for id := uint64(2); id < uint64(len(p.raw)/p.size); id++ {
		b := p.page(id)
		if b == nil || le.Uint16(b[8:]) != flagLeaf {
			continue
		}
		for _, e := range p.leaf(b) {
			if e.sub {
				p.bucketInline(e.value, fn)
				continue
			}
			fn(e)
		}
	}
}

func (p *pages) bucketInline(header []byte, fn func(element)) {
	if len(header) >= bucketHeader && le.Uint64(header) == 0 {
		p.bucket(header, fn)
	}
}
