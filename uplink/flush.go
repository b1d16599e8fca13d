package uplink

import (
	"context"

	"github.com/stampd/stampd/buffer"
)

// Flush hurries, and waits until everything that was queued at the call is stored by the backend, or ctx ends; without a
// backend there is nothing to wait for. It returns how many records are waiting then, and whether everything queued at
// the call is stored.
func (c *Client) Flush(ctx context.Context) (waiting uint64, complete bool) {
	goal := c.Queue.Lanes()
	c.Hurry()
	for {
		c.mu.Lock()
		progress := c.progress
		c.mu.Unlock()
		waiting, complete = c.missing(goal)
		if complete || c.Backend == "" {
			return waiting, complete
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return waiting, false
		}
	}
}

// missing returns how many records wait now, and whether all of the goal is acknowledged.
func (c *Client) missing(goal []buffer.LaneState) (waiting uint64, complete bool) {
	now := map[buffer.LaneID]buffer.LaneState{}
	for _, l := range c.Queue.Lanes() {
		now[l.LaneID] = l
		waiting += l.Depth()
	}
	for _, g := range goal {
		if l, held := now[g.LaneID]; held && l.Acked+1 < g.Next {
			return waiting, false
		}
	}
	return waiting, true
}
