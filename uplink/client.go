package uplink

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// Client keeps the stream to the backend. It is safe for concurrent use.
type Client struct {
	Options
	meter meter
	hurry chan struct{} // asks for an attempt now

	mu       sync.Mutex // guards everything below
	state    wire.UplinkState
	lastErr  string
	nextTry  time.Time
	lastAck  time.Time
	connects uint64
	progress chan struct{} // closed and replaced at each ack
	alarmed  map[alarm]bool
}

// alarm is a contradiction between the backend and one lane of the queue.
type alarm struct {
	lane buffer.LaneID
	kind wire.AuditKind
}

// New returns a client. Nothing is sent before [Client.Run].
func New(o Options) *Client {
	state := wire.UplinkState_UPLINK_STATE_CONNECTING
	if o.Backend == "" {
		state = wire.UplinkState_UPLINK_STATE_DISABLED
	}
	return &Client{Options: o, hurry: make(chan struct{}, 1), state: state, progress: make(chan struct{}), alarmed: map[alarm]bool{}}
}

// settledAfter is how long a session must live, or be acknowledged anything, for the next failure to count as the first.
const settledAfter = 30 * time.Second

// Run keeps the stream open until ctx ends, and returns nil then. Every failure is kept for [Client.Status], and tried
// again.
func (c *Client) Run(ctx context.Context) error {
	if c.Backend == "" {
		<-ctx.Done()
		return nil
	}
	backoff := backoff{min: c.BackoffMin, max: c.BackoffMax}
	c.pause(ctx, rand.N(max(c.FirstContactSpread, 1)))
	for ctx.Err() == nil {
		start, before := time.Now(), c.ackTime()
		err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errNewLane) {
			continue
		}
		if c.ackTime().After(before) || time.Since(start) > settledAfter {
			backoff.reset()
		}
		wait := backoff.next()
		c.Log.Warn().Err(err).Int64("wait_ms", wait.Milliseconds()).Msg("uplink is down")
		c.mu.Lock()
		c.lastErr = err.Error()
		c.mu.Unlock()
		if c.pause(ctx, wait) {
			backoff.reset()
		}
	}
	return nil
}

// pause waits, and reports whether somebody was in a hurry.
func (c *Client) pause(ctx context.Context, wait time.Duration) (hurried bool) {
	c.mu.Lock()
	c.state, c.nextTry = wire.UplinkState_UPLINK_STATE_WAITING, time.Now().Add(wait)
	c.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-c.hurry:
		hurried = true
	}
	c.setState(wire.UplinkState_UPLINK_STATE_CONNECTING)
	return hurried
}

// Hurry asks for an attempt now, without waiting for the next one to be due: when the modem comes up, or a person asks.
func (c *Client) Hurry() {
	select {
	case c.hurry <- struct{}{}:
	default:
	}
}

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

// Online reports whether the backend has welcomed the terminal and the stream is open.
func (c *Client) Online() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == wire.UplinkState_UPLINK_STATE_ONLINE
}

// Status returns how the uplink is.
func (c *Client) Status() *wire.UplinkStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &wire.UplinkStatus{
		State:         c.state,
		Backend:       c.Backend,
		LastError:     c.lastErr,
		SentBytes:     c.meter.sent.Load(),
		ReceivedBytes: c.meter.received.Load(),
		Connects:      c.connects,
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

// alarm raises an alarm, once for each lane: an alarm is a ledger record, whose own ack may raise the next.
func (c *Client) alarm(id buffer.LaneID, kind wire.AuditKind) {
	a := alarm{id, kind}
	c.mu.Lock()
	again := c.alarmed[a]
	c.alarmed[a] = true
	c.mu.Unlock()
	if again {
		return
	}
	c.Log.Error().Stringer("lane", id).Stringer("kind", kind).Msg("backend contradicts the queue")
	c.Alarm(&wire.Audit{Kind: kind, Subject: id.Lane.String()})
}
