package collect

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// maxBlockBytes is the most that the events of a block take in it.
const maxBlockBytes = 64 << 10

// block is events that wait to be stored together, in the order in which they happened.
type block struct {
	events []pci.Clean
	bytes  int
}

// sizeInBlock returns what an event takes in a block (wire.TelemetryBlock).
func sizeInBlock(event pci.Clean) int {
	return protowire.SizeTag(1) + protowire.SizeBytes(len(event.Bytes()))
}

// record stamps an event with the time, has it checked, and puts it into the block. The block is closed when that fills it.
func (c *Collector) record(e *wire.Event) {
	if violation, ok := errors.AsType[*pci.Violation](c.add(e)); ok {
		c.opts.Violated(violation)
	}
}

// add puts an event into the block, or returns why the guard refuses it.
func (c *Collector) add(e *wire.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Clock = c.opts.Clock.Now()
	clean, err := c.opts.Guard.Check(e)
	if err != nil {
		c.stats.Refused++
		return err
	}
	size := sizeInBlock(clean)
	if c.block.bytes+size > maxBlockBytes {
		c.close()
	}
	if len(c.block.events) == 0 {
		c.due.Reset(c.opts.BlockEvery)
	}
	c.block.events = append(c.block.events, clean)
	c.block.bytes += size
	if len(c.block.events) >= c.opts.MaxEvents {
		c.close()
	}
	return nil
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
