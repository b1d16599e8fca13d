package block

import "errors"

// What reading takes of memory, in bytes.
const (
	memoryOfField  = 2 << 10
	memoryOfStream = 2 << 10
	memoryOfEntry  = 128
)

const (
	maxMemory = 8 << 20
	maxWork   = 8 << 20
)

var (
	errMemory = errors.New("it holds too much")
	errWork   = errors.New("it takes too long")
)

// limits is what reading a block may take, so that a short one can't promise much.
type limits struct {
	memory int // bytes
	work   int // decisions and pieces of raw bits
}

// limitsFor returns what a block of that length may take.
func limitsFor(length int) limits {
	return limits{memory: min(64<<10+length*3<<10, maxMemory), work: min(64<<10+length<<9, maxWork)}
}

// charge counts memory, and reports whether there is any left.
func (p *pass) charge(bytes int) bool {
	p.memory += bytes
	if p.memory > p.allowed.memory {
		p.fail(errMemory)
	}
	return p.err == nil
}

// afford counts memory, and reports whether there is enough left of it and of work.
func (p *pass) afford(bytes, work int) bool {
	if p.charge(bytes) && p.work+work > p.allowed.work {
		p.fail(errWork)
	}
	return p.err == nil
}

// within reports whether what reading took so far is allowed for a block of that length.
func (p *pass) within(length int) bool {
	l := limitsFor(length)
	return p.memory <= l.memory && p.work <= l.work
}
