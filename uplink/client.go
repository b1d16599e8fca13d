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
	meter   meter
	keeper  keeper // belongs to the goroutine that sends
	tickets tickets
	hurry   chan struct{} // asks for an attempt now

	mu       sync.Mutex // guards everything below
	state    wire.UplinkState
	stage    wire.UplinkStage // how far the attempt is, or where the last one ended
	lastErr  error
	nextTry  time.Time
	lastAck  time.Time
	connects uint64
	steps    steps                    // how long the last ones took
	progress chan struct{}            // closed and replaced at each ack, and when the state changes
	furthest map[buffer.LaneID]uint64 // the last record of each lane that an ack was ever had for
	advances uint64                   // acks that covered records beyond that
	unread   *unread                  // nil while the queue can be read
	apart    map[buffer.LaneID]uint64 // ledger lanes whose chain the backend can't have, and from which record on
	alarmed  map[alarm]bool
	asking   *asks // of the stream that is open; nil while it serves no cards
}

// alarm is a contradiction between the backend and one lane of the queue, or a kind of message that makes no sense.
type alarm struct {
	lane    buffer.LaneID
	kind    wire.AuditKind
	message string
}

// New returns a client. Nothing is sent before [Client.Run].
func New(o Options) *Client {
	state := wire.UplinkState_UPLINK_STATE_CONNECTING
	if o.Backend == "" {
		state = wire.UplinkState_UPLINK_STATE_DISABLED
	}
	c := &Client{
		Options: o, keeper: keeper{saved: time.Now()}, hurry: make(chan struct{}, 1), state: state, progress: make(chan struct{}),
		furthest: map[buffer.LaneID]uint64{}, apart: map[buffer.LaneID]uint64{}, alarmed: map[alarm]bool{},
	}
	c.meter.now = c.instant
	c.loadTraffic()
	return c
}

// settledAfter is how long a session must live, or be acknowledged new records, for the next failure to count as the first.
// A Welcome proves nothing: what ends a session right after it would be repeated for ever, at the link's cost.
const settledAfter = 30 * time.Second

// Run keeps the stream open until ctx ends, and returns nil then. Every failure is kept for [Client.Status], and tried
// again.
func (c *Client) Run(ctx context.Context) error {
	if c.Backend == "" {
		<-ctx.Done()
		return nil
	}
	defer c.saveTraffic()
	backoff := backoff{min: c.BackoffMin, max: c.BackoffMax}
	c.pause(ctx, rand.N(max(c.FirstContactSpread, 1)))
	for ctx.Err() == nil {
		start, before := time.Now(), c.advanced()
		err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		settled := c.advanced() > before || time.Since(start) > settledAfter
		if settled {
			backoff.reset()
		}
		newLane := errors.Is(err, errNewLane)
		if newLane && settled {
			continue
		}
		wait := backoff.next()
		if !newLane {
			c.Log.Warn().Err(err).Int64("wait_ms", wait.Milliseconds()).Msg("uplink is down")
			c.mu.Lock()
			c.lastErr, c.stage = err, stageOf(err)
			c.mu.Unlock()
		}
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
	c.wake()
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

// alarm raises an alarm, once for each lane: an alarm is a ledger record, whose own ack may raise the next.
func (c *Client) alarm(id buffer.LaneID, kind wire.AuditKind) {
	a := alarm{lane: id, kind: kind}
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
