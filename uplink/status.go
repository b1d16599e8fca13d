package uplink

import (
	"time"

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
		SentBytes:           c.meter.sent.Load(),
		ReceivedBytes:       c.meter.received.Load(),
		TelemetryBytesToday: c.spent(),
	}
	if hold, wait := c.held(farthest); hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		s.Hold, s.HeldForMs = hold, new(wait.Milliseconds())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.State, s.Connects = c.state, c.connects
	if c.lastErr != nil {
		s.LastError, s.Hint = c.lastErr.Error(), hintOf(c.lastErr)
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
	c.state = s
}

// reached notes how far an attempt has come.
func (c *Client) reached(s wire.UplinkStage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stage = s
}

func (c *Client) ackTime() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastAck
}

// acknowledged notes progress.
func (c *Client) acknowledged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastAck = time.Now()
	close(c.progress)
	c.progress = make(chan struct{})
}
