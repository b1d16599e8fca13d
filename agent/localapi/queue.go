package localapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// Limits of a page of records.
const (
	usualPage = 100
	maxPage   = 1000
	pageBytes = 256 << 10
)

// shortEpoch is how many hexadecimal digits name an epoch in a request: too few for a card's number.
const shortEpoch = 8

// listQueue says what the queue holds.
func (s *Server) listQueue(context.Context, *wire.ListQueueRequest) (*wire.ListQueueResponse, error) {
	stats := s.Queue.Stats()
	use, err := s.Queue.Use()
	res := &wire.ListQueueResponse{
		TerminalId:  s.Terminal.Terminal,
		Quarantined: stats.Quarantined,
		File: &wire.QueueFile{
			Path:      stats.Path,
			Format:    use.Format,
			SizeBytes: uint64(stats.FileSize),
			UsedBytes: uint64(use.File),
			MaxBytes:  new(uint64(stats.MaxSize)),
		},
	}
	if err != nil {
		res.File.Fault = err.Error()
	}
	for _, l := range stats.Lanes {
		lane := &wire.QueueLane{
			Lane: wire.Lane(l.Lane), Epoch: l.Epoch.String(), Oldest: l.Oldest, Next: l.Next, Acked: l.Acked,
			Depth: l.Depth(), InMemory: l.InMemory, Bytes: uint64(use.Lanes[l.LaneID]),
		}
		if first, err := s.Queue.Read(l.LaneID, l.Oldest, 1, 0); err == nil && len(first) > 0 {
			lane.OldestUnixMs = MadeAt(lane.GetLane(), first[0].Payload)
		}
		res.Lanes = append(res.Lanes, lane)
	}
	for _, a := range buffer.AsideOf(stats.Path) {
		res.SetAside = append(res.SetAside, &wire.SetAsideFile{Path: a.Path, SizeBytes: uint64(a.Size)})
	}
	return res, nil
}

// readQueue gives a page of records.
func (s *Server) readQueue(_ context.Context, req *wire.ReadQueueRequest) (*wire.ReadQueueResponse, error) {
	if req.GetMaxRecords() > maxPage {
		return nil, &ledger.Invalid{Field: "max_records", Reason: ledger.ReasonRange, Hint: fmt.Sprintf("send up to %d", maxPage)}
	}
	limit := int(req.GetMaxRecords())
	if limit == 0 {
		limit = usualPage
	}
	var page []buffer.Stored
	var err error
	if req.GetQuarantine() {
		page, err = s.Queue.Quarantine(req.GetFrom(), limit, pageBytes)
	} else {
		var id buffer.LaneID
		if id, err = s.laneNamed(req); err == nil {
			page, err = s.Queue.Stored(id, req.GetFrom(), limit, pageBytes)
		}
	}
	if err != nil {
		return nil, err
	}
	res := new(wire.ReadQueueResponse)
	for _, r := range page {
		res.Records = append(res.Records, QueueRecord(r))
	}
	if req.GetExplain() {
		now := Circumstances{Now: s.Ledger.Clock.Now(), Uplink: s.Uplink.Status(), MaxAge: s.Ledger.Limits.Age}
		for _, r := range res.GetRecords() {
			r.Stay = now.Stay(r)
		}
	}
	return res, nil
}

// laneNamed returns the lane that a request names by the first digits of its epoch.
func (s *Server) laneNamed(req *wire.ReadQueueRequest) (buffer.LaneID, error) {
	if req.GetLane() == wire.Lane_LANE_UNSPECIFIED {
		return buffer.LaneID{}, &ledger.Invalid{Field: "lane", Reason: ledger.ReasonMissing, Hint: "send LANE_LEDGER or LANE_TELEMETRY"}
	}
	if len(req.GetEpoch()) == shortEpoch {
		for _, l := range s.Queue.Lanes() {
			if wire.Lane(l.Lane) == req.GetLane() && strings.HasPrefix(l.Epoch.String(), req.GetEpoch()) {
				return l.LaneID, nil
			}
		}
	}
	return buffer.LaneID{}, &ledger.Invalid{
		Field: "epoch", Reason: ledger.ReasonUnknown, Hint: fmt.Sprintf("send the first %d digits of an epoch that ListQueue names", shortEpoch),
	}
}

// QueueRecord returns a record of the queue as the schema has it.
func QueueRecord(r buffer.Stored) *wire.QueueRecord {
	m := &wire.QueueRecord{
		Lane: wire.Lane(r.Lane), Epoch: r.Epoch.String(), Seq: r.Seq, Payload: r.Payload, Reason: wire.RejectReason(r.Reason),
	}
	if r.Lane == buffer.Ledger {
		m.Chain = r.Chain[:]
	}
	if r.Problem != nil {
		m.Payload, m.Sealed, m.Problem = nil, r.Sealed, r.Problem.Error()
	}
	return m
}

// MadeAt returns the wall clock of the terminal when the first event of a record was made, in milliseconds since 1970, or nil
// when that is not known.
func MadeAt(lane wire.Lane, payload []byte) *int64 {
	if clock := madeAt(lane, payload); clock != nil {
		return clock.WallUnixMs
	}
	return nil
}
