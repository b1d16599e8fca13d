package collect

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// What a block may hold. With its limit of bytes it fits into a batch, however badly it packs.
const (
	maxBlockBytes  = 64 << 10 // of its events, not packed
	maxBlockEvents = 1000     // wire.TelemetryBlock
)

// block is events that wait to be stored together, in the order in which they happened.
type block struct {
	events []pci.Clean
	bytes  int
	opened time.Time // when its first event happened, or was due
}

// sizeInBlock returns what an event takes in a block (wire.TelemetryBlock).
func sizeInBlock(event pci.Clean) int {
	return protowire.SizeTag(1) + protowire.SizeBytes(len(event.Bytes()))
}

// record has events checked and puts them into the block, which is held from that time on if they are its first. Those that
// have no clock yet are given the clock of now. The block is closed when it is full.
func (c *Collector) record(at time.Time, events ...*wire.Event) {
	checked := make([]pci.Clean, 0, len(events))
	for _, e := range events {
		if e.Clock == nil {
			e.Clock = c.opts.Clock.Now()
		}
		clean, err := c.opts.Guard.Check(e)
		if err != nil {
			c.refuse(err)
			continue
		}
		checked = append(checked, clean)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range checked {
		size := sizeInBlock(e)
		if c.block.bytes+size > maxBlockBytes || len(c.block.events) == maxBlockEvents {
			c.close()
		}
		if len(c.block.events) == 0 {
			c.block.opened = at
		}
		c.block.events = append(c.block.events, e)
		c.block.bytes += size
	}
}

// violatedEvery is the pause between what is told of the same field: a reading comes again and again, and what is told is kept in
// the ledger, which drops nothing.
const violatedEvery = 10 * time.Minute

// refuse counts an event that the guard did not let through, and tells of it unless it did so lately.
func (c *Collector) refuse(err error) {
	violation, told := errors.AsType[*pci.Violation](err)
	now := time.Now()
	c.mu.Lock()
	c.stats.Refused++
	if told {
		last, known := c.violated[*violation]
		if told = !known || now.Sub(last) >= violatedEvery; told {
			c.violated[*violation] = now
		}
	}
	c.mu.Unlock()
	if told {
		c.opts.Violated(violation)
	}
}

// settle hands the block over unless it can wait for the round of that tick.
func (c *Collector) settle(tick time.Time) {
	c.mu.Lock()
	held, empty := tick.Sub(c.block.opened), len(c.block.events) == 0
	c.mu.Unlock()
	switch {
	case empty, held < c.opts.BlockEvery:
	case held < c.opts.UnawaitedEvery && !c.low.low && !c.opts.Awaited():
	default:
		c.Flush()
	}
}

// Flush hands the events that are held to the sink now. It is safe for concurrent use, also before and after Run.
func (c *Collector) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
}

// close hands the block to the sink, if it holds anything, and begins a new one. c.mu must be held.
func (c *Collector) close() {
	events := c.block.events
	if len(events) == 0 {
		return
	}
	c.block = block{events: make([]pci.Clean, 0, len(events))}
	packed, err := c.opts.Guard.Pack(events)
	if err == nil {
		_, err = c.opts.Sink.AppendTelemetry(packed)
	}
	if err != nil {
		c.stats.Dropped += uint64(len(events))
		c.opts.Log.Warn().Err(err).Int("events", len(events)).Msg("readings dropped: the queue did not take them")
		return
	}
	if c.handed.IsZero() {
		c.handed = time.Now()
	}
	c.stats.Blocks++
	c.stats.Events += uint64(len(events))
}
