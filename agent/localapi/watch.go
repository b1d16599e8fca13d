package localapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// How often a watcher is told.
const (
	usualBeat   = 30 * time.Second       // at least, unless the request says otherwise
	maxBeat     = 3600                   // seconds (WatchStatusRequest.every_seconds)
	watchPeriod = 500 * time.Millisecond // at most: changes within it are told as one
)

// watchStatus tells the caller how things are, until the caller goes, its time is over, or the agent stops. It sleeps until
// the queue, the uplink or this server says that something has changed.
func (s *Server) watchStatus(ctx context.Context, req *wire.WatchStatusRequest, send func(*wire.WatchStatusResponse) error) error {
	if req.GetEverySeconds() > maxBeat {
		return &ledger.Invalid{Field: "every_seconds", Reason: ledger.ReasonRange, Hint: fmt.Sprintf("send 1 to %d seconds, or nothing", maxBeat)}
	}
	every := usualBeat
	if req.GetEverySeconds() > 0 {
		every = time.Duration(req.GetEverySeconds()) * time.Second
	}
	beat := time.NewTimer(every)
	defer beat.Stop()
	last := ""
	for {
		queue, uplink, noted := s.Queue.Changed(), s.Uplink.Changed(), s.noted.changed()
		looked := time.Now()
		now := s.watched()
		if news := newsIn(now); news != last {
			if err := send(now); err != nil {
				return s.ended(ctx, fmt.Errorf("%w: %w", context.Canceled, err))
			}
			last = news
			beat.Reset(every)
		}
		select {
		case <-queue:
		case <-uplink:
		case <-noted:
		case <-beat.C:
			last = ""
		case <-ctx.Done():
			return s.ended(ctx, ctx.Err())
		case <-s.stopping.Done():
			return s.ended(ctx, nil)
		}
		if err := s.rest(ctx, watchPeriod-time.Since(looked)); err != nil {
			return err
		}
	}
}

// rest waits, and returns why the stream ends when it does meanwhile.
func (s *Server) rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return s.ended(ctx, ctx.Err())
	case <-s.stopping.Done():
		return s.ended(ctx, nil)
	}
}

// newsIn returns what of a message is news when it differs from what was told before: all but the times, which change by
// themselves. It is never empty.
func newsIn(m *wire.WatchStatusResponse) string {
	news := fmt.Sprint(m.GetUplink(), m.GetLedger() != nil, m.GetLedger().GetRecords(), m.GetTelemetry().GetRecords())
	texts := []string{news, m.GetLastError(), m.GetHint()}
	for _, a := range m.GetAlarms() {
		texts = append(texts, a.GetText(), a.GetHint())
	}
	return strings.Join(texts, "\n")
}

// ended is what the caller of a stream is told that ends for err, if there is still somebody to be told.
func (s *Server) ended(ctx context.Context, err error) error {
	switch {
	case s.stopping.Err() != nil:
		return &refusal{connect.CodeUnavailable, "STOPPING", "", "the agent is stopping", "call again when the agent runs again"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &refusal{connect.CodeDeadlineExceeded, "TIME_OVER", "", "the time that the caller gave for the stream is over",
			"leave the time limit out, or call again"}
	}
	return err
}

// broadcast tells whoever waits that something has changed. It is safe for concurrent use.
type broadcast struct {
	mu   sync.Mutex // guards next
	next chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{next: make(chan struct{})} }

// changed returns a channel that is closed at the next change.
func (b *broadcast) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// wake tells of a change.
func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}
