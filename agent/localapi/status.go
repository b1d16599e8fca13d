package localapi

import (
	"context"
	"crypto/fips140"
	"fmt"
	"time"

	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// maxWaitMs is the longest wait that a flush takes, in milliseconds (FlushRequest.wait_ms).
const maxWaitMs = 600_000

// status says how the agent is.
func (s *Server) status(ctx context.Context, _ *wire.StatusRequest) (*wire.StatusResponse, error) {
	q := s.Queue.Stats()
	res := &wire.StatusResponse{
		Version:               s.Version,
		TerminalId:            s.Terminal.Terminal,
		MerchantId:            s.Terminal.Merchant,
		UptimeSeconds:         uint64(time.Since(s.started) / time.Second),
		Uplink:                s.Uplink.Status(),
		Network:               s.Board.Network(ctx),
		CardholderDataRefused: s.Guard.Refused(),
		FipsEnabled:           fips140.Enabled(),
		Queue: &wire.QueueStatus{
			Path:        q.Path,
			SizeBytes:   uint64(q.FileSize),
			MaxBytes:    uint64(q.MaxSize),
			Quarantined: q.Quarantined,
			Dropped:     q.Dropped,
		},
	}
	if s.Renewer != nil {
		res.Certificate = s.Renewer.Status()
	}
	if q.Fault != nil {
		res.Queue.Fault = q.Fault.Error()
	}
	for _, l := range q.Lanes {
		res.Lanes = append(res.Lanes, &wire.LaneStatus{
			Lane:     wire.Lane(l.Lane),
			Epoch:    l.Epoch.String(),
			Next:     l.Next,
			Acked:    l.Acked,
			Depth:    l.Depth(),
			InMemory: l.InMemory,
		})
	}
	for _, p := range s.Board.Found() {
		res.Parts = append(res.Parts, &wire.PartStatus{Part: p.Name, Driver: p.Driver, Found: p.OK, Detail: p.Detail})
	}
	return res, nil
}

// flush asks the uplink for an attempt now, and waits as long as the caller wants for everything that is queued to be
// stored. That the time is over, or that the agent stops, is no error: the answer says what is left.
func (s *Server) flush(ctx context.Context, req *wire.FlushRequest) (*wire.FlushResponse, error) {
	if req.GetWaitMs() > maxWaitMs {
		return nil, &ledger.Invalid{Field: "wait_ms", Reason: ledger.ReasonRange, Hint: fmt.Sprintf("send 0 to %d milliseconds", maxWaitMs)}
	}
	wait := time.Duration(req.GetWaitMs()) * time.Millisecond
	if s.Uplink.Status().GetState() == wire.UplinkState_UPLINK_STATE_DISABLED {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	s.Settle()
	waiting, complete := s.Uplink.Flush(ctx)
	return &wire.FlushResponse{Waiting: waiting, Complete: complete}, nil
}
