package uplink

import (
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// Online reports whether the backend has welcomed the terminal and the stream is open.
func (c *Client) Online() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == wire.UplinkState_UPLINK_STATE_ONLINE
}

// Status returns how the uplink is.
func (c *Client) Status() *wire.UplinkStatus {
	s := &wire.UplinkStatus{
		Backend:             c.Backend,
		Proxy:               c.Proxy.String(),
		TelemetryBytesToday: c.spent(),
	}
	c.meter.tell(s)
	if hold, wait := c.held(farthest); hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		s.Hold, s.HeldForMs = hold, new(wait.Milliseconds())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.State, s.Connects = c.state, c.connects
	s.ResolveMs, s.ConnectMs, s.HandshakeMs = c.steps.resolve, c.steps.connect, c.steps.handshake
	switch {
	case c.lastErr != nil:
		s.LastError, s.Hint = c.lastErr.Error(), hintOf(c.lastErr)
	case c.unread != nil && c.state == wire.UplinkState_UPLINK_STATE_ONLINE:
		s.LastError, s.Hint, s.Stage = c.unread.err.Error(), hintOf(c.unread.err), stageOf(c.unread.err)
	}
	if c.state == wire.UplinkState_UPLINK_STATE_CONNECTING || c.state == wire.UplinkState_UPLINK_STATE_WAITING {
		s.Stage = c.stage
	}
	if c.state == wire.UplinkState_UPLINK_STATE_WAITING {
		s.NextAttemptInMs = new(max(time.Until(c.nextTry).Milliseconds(), 0))
	}
	if !c.lastAck.IsZero() {
		s.SinceAckMs = new(time.Since(c.lastAck).Milliseconds())
	}
	return s
}

func (c *Client) setState(s wire.UplinkState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != s {
		c.state = s
		c.wake()
	}
}

// reached notes how far an attempt has come.
func (c *Client) reached(s wire.UplinkStage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stage = s
}

// advanced returns how many acks there were that covered records for the first time.
func (c *Client) advanced() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advances
}

// advance notes an ack. It counts when it goes beyond all that came before: a backend that forgets and acknowledges the
// same again makes no progress.
func (c *Client) advance(id buffer.LaneID, through uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if through > c.furthest[id] {
		c.furthest[id] = through
		c.advances++
	}
}

// acknowledged notes that the backend has told what is stored, and when.
func (c *Client) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastAck = time.Now()
	c.wake()
}

// Changed returns a channel that is closed when the backend has acknowledged something, and when the state or what is wrong
// changes. Whoever looks takes the channel first, so that no change is missed.
func (c *Client) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.progress
}

// wake tells whoever waits for a change. c.mu is held.
func (c *Client) wake() {
	close(c.progress)
	c.progress = make(chan struct{})
}
