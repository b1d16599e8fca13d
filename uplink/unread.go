package uplink

import (
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// unread is a lane that the queue can't read now. One stands for all: they lie in the same file.
type unread struct {
	lane buffer.LaneID
	err  error
}

// looked notes what reading a lane of the queue gave. It is logged when that changes, not at each attempt.
func (c *Client) looked(id buffer.LaneID, err error) {
	c.mu.Lock()
	before := c.unread
	switch {
	case err != nil && before == nil:
		c.unread = &unread{id, queueFailure(err)}
	case err == nil && before != nil && before.lane == id:
		c.unread = nil
	}
	now := c.unread
	if now != before {
		c.wake()
	}
	c.mu.Unlock()
	switch {
	case now != nil && before == nil:
		c.Log.Error().Err(err).Stringer("lane", id).Msg("queue can't be read; the uplink waits for it")
	case now == nil && before != nil:
		c.Log.Info().Msg("queue can be read again")
	}
}

// named forgets what could not be read when it is no longer among the queue's lanes.
func (c *Client) named(states []buffer.LaneState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unread != nil && !slices.ContainsFunc(states, func(l buffer.LaneState) bool { return l.LaneID == c.unread.lane }) {
		c.unread = nil
	}
}

// unreadable reports whether the queue can't be read, as far as was seen.
func (c *Client) unreadable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unread != nil
}

// queueFailure is a queue that can't be read.
func queueFailure(err error) error {
	return &Failure{
		Stage: wire.UplinkStage_UPLINK_STAGE_QUEUE, Problem: "the queue can't be read: " + oneLine(err.Error()), cause: err,
		Remedy: "it is the terminal's disk, not the network; what can still be read is sent, and the rest once the queue works again",
	}
}
