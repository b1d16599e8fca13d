package uplink

import (
	"context"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// telemetryInFlight is how many batches of telemetry may be on their way. Together they are what a ledger record may
	// have to wait for on a slow link: see [pace].
	telemetryInFlight = 2
	// lookAgain is the longest that held telemetry waits for the next look at the clock, which somebody may have set.
	lookAgain = 10 * time.Minute
)

// send sends whatever the queue has, until ctx ends or an error does. A queue that can't be read is no fault of the link:
// the stream stays open, and the queue is looked at again, less and less often.
func (s *session) send(ctx context.Context) error {
	unread := backoff{min: s.BackoffMin, max: s.BackoffMax}
	for {
		changed := s.Queue.Changed() // before looking, so that nothing is missed
		hold, wait := s.held(lookAgain)
		sent, err := s.sendOne(hold)
		if err != nil {
			return err
		}
		if sent {
			continue
		}
		s.keepTraffic()
		if s.idle() && s.outdated(hold) {
			return errNewLane
		}
		var due <-chan time.Time
		if hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
			due = time.After(wait)
		}
		var again <-chan time.Time
		if s.unreadable() {
			again = time.After(unread.next())
		} else {
			unread.reset()
		}
		select {
		case <-changed:
		case <-s.acks:
		case <-s.asks.pending():
		case <-due:
		case <-again:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sendOne sends the next batch, of the ledger if it has one, or what somebody asks, and reports whether there was any.
func (s *session) sendOne(hold wire.TelemetryHold) (bool, error) {
	if sent, err := s.sendLane(buffer.Ledger, s.Window); sent || err != nil {
		return sent, err
	}
	if sent, err := s.sendAsk(); sent || err != nil {
		return sent, err
	}
	if hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		return false, nil
	}
	return s.sendLane(buffer.Telemetry, telemetryInFlight)
}

// sendLane sends the next batch of a lane, of its oldest epoch first, if fewer than window are on their way.
func (s *session) sendLane(lane buffer.Lane, window int) (bool, error) {
	var cursors []*cursor
	for _, c := range s.lanes {
		if c.id.Lane == lane {
			cursors = append(cursors, c)
			window -= c.flying()
		}
	}
	if window <= 0 {
		return false, nil
	}
	for _, c := range cursors {
		if sent, err := s.sendBatch(c); sent || err != nil {
			return sent, err
		}
	}
	return false, nil
}

// outdated reports whether the queue has something to send in a lane that Hello did not name: its file was replaced, or
// there were too many lanes to name and the first ones are done. Telemetry that is held has nothing to send.
func (s *session) outdated(hold wire.TelemetryHold) bool {
	known := map[buffer.LaneID]bool{}
	for _, c := range s.lanes {
		known[c.id] = true
	}
	for _, l := range s.Queue.Lanes() {
		waits := l.Lane == buffer.Telemetry && hold != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED
		if !known[l.LaneID] && !waits {
			return true
		}
	}
	return false
}
