package uplink

import (
	"context"
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// Flush hurries, and waits until everything that was queued at the call is stored by the backend, or ctx ends. It does not
// wait for what can't go: anything while there is no backend, and telemetry while it is held. It returns how many records
// are waiting then, as far as is known, and whether everything queued at the call is stored. As long as the queue's file
// could not be opened, nobody knows what is in it, and it is not.
func (c *Client) Flush(ctx context.Context) (waiting uint64, complete bool) {
	goal := c.Queue.Lanes()
	c.Hurry()
	for {
		changed, appended := c.Changed(), (<-chan struct{})(nil)
		if !known(goal) {
			appended = c.Queue.Changed()
			goal = c.Queue.Lanes()
		}
		waiting, missing := c.missing(goal)
		if len(missing) == 0 || c.Backend == "" || !missing[buffer.Ledger] && c.holds() {
			return waiting, len(missing) == 0
		}
		select {
		case <-changed:
		case <-appended:
		case <-ctx.Done():
			return waiting, false
		}
	}
}

// known reports whether the queue's file was opened: there is a lane of the ledger then.
func known(lanes []buffer.LaneState) bool {
	return slices.ContainsFunc(lanes, func(l buffer.LaneState) bool { return l.Lane == buffer.Ledger })
}

func (c *Client) holds() bool {
	hold, _ := c.held(0)
	return hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED
}

// missing returns how many records wait now, and in which lanes some of the goal is not acknowledged.
func (c *Client) missing(goal []buffer.LaneState) (waiting uint64, missing map[buffer.Lane]bool) {
	now := map[buffer.LaneID]buffer.LaneState{}
	for _, l := range c.Queue.Lanes() {
		now[l.LaneID] = l
		waiting += l.Depth()
	}
	missing = map[buffer.Lane]bool{}
	if !known(goal) {
		missing[buffer.Ledger] = true
	}
	for _, g := range goal {
		if l, held := now[g.LaneID]; held && l.Acked+1 < g.Next {
			missing[g.Lane] = true
		}
	}
	return waiting, missing
}
