package uplink

import (
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// part notes where a batch takes the two chains of a lane apart: at a record that is lost, or that can be read no longer and
// goes without its payload. The terminal's chain has it, the backend's can't. From there on the two never meet again in
// that lane's epoch, and comparing them would accuse an honest backend; the backend is told of the loss by the batch itself.
func (c *Client) part(id buffer.LaneID, batch *wire.Batch, records []buffer.Record) {
	at := uint64(0)
	if lost := batch.GetLost(); len(lost) > 0 {
		at = lost[0].GetFrom()
	}
	for _, r := range records {
		if at == 0 && r.Payload == nil {
			at = r.Seq
		}
	}
	if at == 0 {
		return
	}
	c.mu.Lock()
	before, known := c.apart[id]
	if !known || at < before {
		c.apart[id] = at
	}
	c.mu.Unlock()
	if !known {
		c.Log.Warn().Stringer("lane", id).Uint64("seq", at).Msg("ledger records are lost or unreadable; from here on the backend's chain is another, and is not compared")
	}
}

// comparable reports whether the backend's chain after a record should be the terminal's.
func (c *Client) comparable(id buffer.LaneID, seq uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, apart := c.apart[id]
	return !apart || seq < at
}
