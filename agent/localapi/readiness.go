package localapi

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// powerGood is how long what the batteries said is good enough: a gauge is slow, and others read it too.
const powerGood = 10 * time.Second

// offlineReadiness says what would work without the network.
func (s *Server) offlineReadiness(ctx context.Context, _ *wire.OfflineReadinessRequest) (*wire.OfflineReadinessResponse, error) {
	f := s.facts(s.Queue.Stats())
	f.Power = s.power.read(ctx, s.Board)
	if s.Keys != nil {
		f.QueueKey, f.MemberKey = s.Keys()
	}
	if r, err := s.Ledger.Rights(); err == nil {
		f.Leases = &readiness.Leases{Rewards: r.Leased, Unusable: r.Unusable, Floor: r.Floor}
		if r.Until.Known {
			f.Leases.Until = time.UnixMilli(r.Until.UnixMs)
		}
	}
	res := &wire.OfflineReadinessResponse{Capabilities: readiness.Of(f)}
	if !f.Now.IsZero() {
		res.AsOfUnixMs = new(f.Now.UnixMilli())
	}
	return res, nil
}

// facts returns what can be told at once: all but the power, the files of the keys and the leases.
func (s *Server) facts(q buffer.Stats) readiness.Facts {
	f := readiness.Facts{
		Clock:     s.Ledger.Clock.Now().GetConfidence(),
		Limits:    s.Ledger.Limits,
		MemberKey: readiness.Missing,
		Programme: readiness.Present, // the settings have one, until the backend sends another
		Uplink:    s.Uplink.Status().GetState(),
	}
	if s.Ledger.Refs != nil {
		f.MemberKey = readiness.Present
	}
	if now, _, known := s.Ledger.Clock.ServerTime(); known {
		f.Now = now
	} else if f.Clock >= wire.ClockConfidence_CLOCK_CONFIDENCE_RTC {
		f.Now = s.Ledger.Clock.Wall()
	}
	if s.Renewer != nil {
		f.Certificate = s.Renewer.Status()
	}
	for _, l := range q.Lanes {
		f.Queue.Opened = f.Queue.Opened || l.Lane == buffer.Ledger
	}
	if q.Fault != nil {
		f.Queue.Fault, f.Queue.Hint = q.Fault.Error(), refusalOf(q.Fault).hint
		return f
	}
	if space, err := s.Queue.Space(); err == nil {
		f.Queue.Room, f.Queue.ReadOnly = &space.Bytes, &space.ReadOnly
	}
	if stored, _, err := s.Ledger.StoredPayments(); err == nil {
		f.Stored = &stored
	}
	return f
}

// power is what the batteries said last. It is safe for concurrent use.
type power struct {
	mu   sync.Mutex // guards the fields below, and is held while the batteries are read
	at   time.Time
	last readiness.Power
}

// read returns what feeds the terminal. When ctx ends first, that is unknown.
func (p *power) read(ctx context.Context, board *hal.Board) readiness.Power {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.Known && time.Since(p.at) < powerGood {
		return p.last
	}
	now := readiness.Power{Batteries: board.Batteries(ctx)}
	for _, part := range board.Found() {
		if strings.HasPrefix(part.Name, "battery/") && !part.OK && part.Detail != hal.ErrGone.Error() {
			now.Unreadable++
		}
	}
	if ctx.Err() != nil {
		return readiness.Power{}
	}
	now.Known = true
	p.at, p.last = time.Now(), now
	return now
}
