package uplink

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/packing"
)

// cursor is how far one lane has come in one session.
type cursor struct {
	id    buffer.LaneID
	index uint32 // its place in Hello.lanes
	pack  packing.Packer
	mum   int // acks in a row that said nothing of the chain

	doubted bool // the backend's chain was another: nothing leaves the queue; the receiver alone uses it

	mu       sync.Mutex // guards everything below
	sent     uint64     // everything up to here was sent
	acked    uint64     // everything up to here was acknowledged
	inFlight []flight   // batches that were sent and not acknowledged, in order
}

// flight is one batch on its way.
type flight struct {
	last  uint64
	chain [buffer.ChainLength]byte
	since time.Time
}

// next returns the first seq that was not sent.
func (c *cursor) next() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent + 1
}

// depart notes a batch that is about to be sent.
func (c *cursor) depart(f flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = f.last
	f.since = time.Now()
	c.inFlight = append(c.inFlight, f)
}

// landing is what an ack covers.
type landing struct {
	from    uint64                   // the first seq that was not acknowledged before
	batches int                      // how many ended
	chain   [buffer.ChainLength]byte // the terminal's own chain at the end of the last of them
	exact   bool                     // the ack ends where that one does
	since   time.Time                // when the last of them was sent; zero when none was
}

// land takes the batches that an ack covers out of flight. It fails when something was never sent.
func (c *cursor) land(through uint64) (landing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := landing{from: c.acked + 1}
	if through > c.sent {
		return l, fmt.Errorf("%w: %v through %d, sent through %d", errFalseAck, c.id, through, c.sent)
	}
	for l.batches < len(c.inFlight) && c.inFlight[l.batches].last <= through {
		f := c.inFlight[l.batches]
		l.chain, l.exact, l.since = f.chain, f.last == through, f.since
		l.batches++
	}
	c.inFlight = c.inFlight[l.batches:]
	c.acked = max(c.acked, through)
	return l, nil
}

// maxMum is how many acks in a row may say nothing of the chain (Ack.chain).
const maxMum = 15

// agrees reports whether the backend's chain, as an ack tells it, is the terminal's. A backend that is sparing says nothing
// when it is, but not for ever.
func (c *cursor) agrees(own, told []byte, sparing bool) bool {
	if len(told) == 0 && sparing && c.mum < maxMum {
		c.mum++
		return true
	}
	c.mum = 0
	return bytes.Equal(own, told)
}

// flying returns how many batches are on their way.
func (c *cursor) flying() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.inFlight)
}
