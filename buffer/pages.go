package buffer

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"syscall"
)

// pages is a bbolt file as raw pages, for reading what is left of a damaged one. bbolt itself ends in a panic or a fault
// on such a file. The layout is bbolt's version 2 (internal/common: page.go, meta.go, inode.go), in the machine's byte
// order, which is little endian on every terminal.
type pages struct {
	raw     []byte
	size    int      // of a page
	end     uint64   // pages from here on are not in use
	seen    []bool   // pages that a walk has come to
	touched int      // bytes that were looked at since pages were let go of
	damaged int      // pages and entries that were needed and make no sense
	blamed  []uint64 // some of the pages that these are in
}

const (
	boltMagic     = 0xED0CDAED
	boltVersion   = 2
	pageHeader    = 16
	elementSize   = 16
	bucketHeader  = 16
	flagBranch    = 0x01
	flagLeaf      = 0x02
	flagFreelist  = 0x10
	flagSubBucket = 0x01
	noFreelist    = 1<<64 - 1
)

var le = binary.LittleEndian

// mapPages maps a file. It must not be closed while anything that came from it is in use.
func mapPages(f *os.File) (*pages, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	p := &pages{size: os.Getpagesize()}
	if info.Size() < 2*int64(p.size) {
		return nil, fmt.Errorf("%w: it has %d bytes", errDamaged, info.Size())
	}
	if p.raw, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		return nil, err
	}
	if m := p.meta(); m != nil {
		p.size = int(le.Uint32(m[8:]))
		p.end = le.Uint64(m[40:])
	}
	p.seen = make([]bool, len(p.raw)/p.size+1)
	return p, nil
}

func (p *pages) close() { _ = syscall.Munmap(p.raw) }

// check returns an error unless every page that the file's newest state needs is there and makes sense.
func (p *pages) check() error {
	m := p.meta()
	if m == nil {
		return fmt.Errorf("%w: neither of its first pages is valid", errDamaged)
	}
	if need := le.Uint64(m[40:]); need > uint64(len(p.raw)/p.size) {
		return fmt.Errorf("%w: it is cut short to %d pages of %d", errDamaged, len(p.raw)/p.size, need)
	}
	p.walk(p.root(), func(b element) {
		if !b.sub {
			p.damaged++
			return
		}
		p.bucket(b.value, func(e element) {
			if e.sub { // the queue has no buckets inside buckets
				p.damaged++
			}
		})
	})
	p.freelist(le.Uint64(m[32:]))
	if p.damaged > 0 {
		where := ""
		if len(p.blamed) > 0 {
			where = fmt.Sprintf(", in pages %d", p.blamed)
		}
		return fmt.Errorf("%w: %d of its pages or entries make no sense%s", errDamaged, p.damaged, where)
	}
	return nil
}

// freelist looks at the list of free pages, if the file has one: a page that is in use must not be on it. It comes after
// the walk.
func (p *pages) freelist(id uint64) {
	if id == noFreelist {
		return
	}
	b := p.page(id)
	if b == nil || p.seen[id] || le.Uint16(b[8:]) != flagFreelist {
		p.damaged++
		return
	}
	count, ids := uint64(le.Uint16(b[10:])), b[pageHeader:]
	if count == 0xFFFF && len(ids) >= 8 { // the count is the first of the list
		count, ids = le.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		p.damaged++
		return
	}
	last := uint64(1)
	for ; count > 0; count, ids = count-1, ids[8:] {
		free := le.Uint64(ids)
		if free <= last || free >= p.end || p.seen[free] {
			p.damaged++
			return
		}
		last = free
	}
}

// meta returns the newer of the two meta pages whose checksum is right, or nil.
func (p *pages) meta() []byte {
	var newest []byte
	for _, at := range []int{0, p.size} {
		if len(p.raw) < at+pageHeader+64 {
			continue
		}
		m := p.raw[at+pageHeader:][:64]
		sum := fnv.New64a()
		sum.Write(m[:56])
		size := le.Uint32(m[8:])
		if le.Uint32(m) != boltMagic || le.Uint32(m[4:]) != boltVersion || sum.Sum64() != le.Uint64(m[56:]) || size < 512 || size > 1<<16 || size&(size-1) != 0 {
			continue
		}
		if newest == nil || le.Uint64(m[48:]) > le.Uint64(newest[48:]) {
			newest = m
		}
	}
	return newest
}

// root returns the page of the bucket that holds all others, or 0 when it is not known.
func (p *pages) root() uint64 {
	if m := p.meta(); m != nil {
		return le.Uint64(m[16:])
	}
	return 0
}

// page returns a page with its overflow, or nil when it makes no sense.
func (p *pages) page(id uint64) []byte {
	if id < 2 || id >= uint64(len(p.raw)/p.size) {
		return nil
	}
	b := p.raw[int(id)*p.size:]
	if le.Uint64(b) != id {
		return nil
	}
	length := (int64(le.Uint32(b[12:])) + 1) * int64(p.size)
	b = b[:min(length, int64(len(b)))]
	if p.touched += lookupBytes; p.touched > residentLimit {
		p.touched = 0
		_ = syscall.Madvise(p.raw, syscall.MADV_DONTNEED) // what is needed again is read again
	}
	return b
}
