package uplink

import (
	"sync"
	"time"
)

// How large a telemetry batch is, in bytes of payload: on a slow link, a ledger record waits for the two that are on their
// way.
const (
	paceMin = 4 << 10
	paceMax = 64 << 10
)

// A batch that is answered sooner than brisk lets the next ones be larger, one that takes longer than slow, smaller.
const (
	brisk = 700 * time.Millisecond
	slow  = 2 * time.Second
)

// pace sizes telemetry batches by how soon they are answered. It is safe for concurrent use.
type pace struct {
	mu   sync.Mutex // guards size
	size int
}

func newPace() *pace { return &pace{size: 2 * paceMin} }

// batch returns how many bytes the next batch may have.
func (p *pace) batch() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// took notes how long a batch was on its way.
func (p *pace) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case d < brisk:
		p.size = min(2*p.size, paceMax)
	case d > slow:
		p.size = max(p.size/2, paceMin)
	}
}
