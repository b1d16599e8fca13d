package disktest

// page is what the kernel writes back at a time, in bytes.
const page = 4096

// sector is what a medium writes in one step, in bytes.
const sector = 512

// file is the content of one inode, or a directory.
type file struct {
	path   string // its first name
	dir    bool
	cache  []byte // what a process reads
	medium []byte // what is certain to be there after a power cut
	shared bool   // cache and medium are the same bytes

	// versions holds, for each page that is not certain, what it has been since it last was: a power cut may leave any.
	versions map[int][][]byte
	dirty    map[int]bool // the pages that the next sync writes; the others of versions are believed to be clean
	resized  bool         // the size is not certain
}

// write puts data into memory.
func (f *file) write(data []byte, at int64) {
	if len(data) == 0 {
		return
	}
	f.part()
	end := int(at) + len(data)
	if end > len(f.cache) {
		f.resize(int64(end))
	}
	copy(f.cache[at:], data)
	f.touch(int(at)/page, (end-1)/page)
}

// part gives memory and the medium bytes of their own.
func (f *file) part() {
	if f.shared {
		f.cache, f.shared = append([]byte(nil), f.medium...), false
	}
}

// resize cuts the file or adds zero bytes.
func (f *file) resize(size int64) {
	f.part()
	switch n := int(size); {
	case n == len(f.cache):
		return
	case n < len(f.cache):
		f.cache = f.cache[:n:n]
		for p := range f.versions {
			if p*page >= n {
				delete(f.versions, p)
				delete(f.dirty, p)
			}
		}
		if n%page != 0 {
			f.touch(n/page, n/page)
		}
	default:
		old := len(f.cache)
		f.cache = append(f.cache, make([]byte, n-old)...)
		if end := min(n, len(f.medium)); end > old { // zero now, and something else on the medium
			f.touch(old/page, (end-1)/page)
		}
	}
	f.resized = true
}

// touch notes that pages have changed.
func (f *file) touch(first, last int) {
	if f.versions == nil {
		f.versions, f.dirty = map[int][][]byte{}, map[int]bool{}
	}
	now := append([]byte(nil), clip(f.cache, first*page, (last+1-first)*page)...)
	for p := first; p <= last; p++ {
		f.versions[p] = append(f.versions[p], clip(now, (p-first)*page, page))
		f.dirty[p] = true
	}
}

// sync makes durable what is dirty.
func (f *file) sync() {
	f.fit()
	for p := range f.dirty {
		copy(f.medium[p*page:], clip(f.cache, p*page, page))
		delete(f.versions, p)
	}
	clear(f.dirty)
}

// fit gives the medium the size that memory has.
func (f *file) fit() {
	f.part()
	if n := len(f.cache); n < len(f.medium) {
		f.medium = f.medium[:n:n]
	} else {
		f.medium = append(f.medium, make([]byte, n-len(f.medium))...)
	}
	f.resized = false
}

// failSync makes clean what is dirty, and writes none of it.
func (f *file) failSync() { clear(f.dirty) }

// forget drops the pages that are clean and not on the medium, and returns them.
func (f *file) forget() []int {
	var gone []int
	for p := range f.versions {
		if f.dirty[p] {
			continue
		}
		b := clip(f.cache, p*page, page)
		clear(b)
		copy(b, clip(f.medium, p*page, page))
		gone = append(gone, p)
	}
	return gone
}

// clip returns up to n bytes of b from a place on.
func clip(b []byte, at, n int) []byte {
	if at >= len(b) {
		return nil
	}
	return b[at:min(at+n, len(b))]
}
