package gateway

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// helloDelay is how old a Hello can be when it comes, if the terminal doesn't say. It gives up long before.
	helloDelay = time.Minute
	// rounding is what whole milliseconds hide: of the terminal's clock, of its events', and of the backend's.
	rounding = 3
	// tellFrom is how wrong a terminal's wall clock must be, in milliseconds, to be worth a line in the log.
	tellFrom = 60_000
)

// greet notes what a Hello tells of the terminal's clock since boot, at the time at which it came.
func (s *stream) greet(h *wire.Hello, at time.Time) {
	if len(h.BootId) == 0 || h.Clock == nil || h.Clock.BootMs == nil {
		return
	}
	s.greeted = at
	s.boot = &eventlog.BootClock{
		BootId: h.BootId, BootMs: h.Clock.GetBootMs(), UnixMs: at.UnixMilli(),
		ErrorMs: proto.Int64(helloDelay.Milliseconds()), Source: eventlog.TimeSource_TIME_SOURCE_BACKEND,
	}
	if off := h.Clock.GetWallUnixMs() - at.UnixMilli(); off > tellFrom || off < -tellFrom {
		s.logger.Warn().Int64("off_ms", off).Stringer("confidence", h.Clock.Confidence).
			Msg("terminal's wall clock is wrong; its events are timed by the clock since boot")
	}
}

// refine takes in how long the terminal waited for the Welcome. The Hello was on its way for a part of that; the backend's
// own share is known. Half of the rest is the best guess, and the error.
func (s *stream) refine(b *wire.Batch) {
	if s.boot == nil || b == nil || s.refined {
		return
	}
	s.refined = true // only the first batch has a say
	if b.RoundTripMs == nil {
		return
	}
	took := time.Duration(*b.RoundTripMs) * time.Millisecond
	if took > helloDelay {
		return
	}
	half := max(took-s.welcomed.Sub(s.greeted), 0).Milliseconds()/2 + 1
	s.boot.UnixMs = s.greeted.UnixMilli() - half
	s.boot.ErrorMs = proto.Int64(half + rounding)
}

// keepBoot keeps what the Hello told when no batch came that would have brought it to the log.
func (s *stream) keepBoot() {
	if s.boot == nil || s.kept {
		return
	}
	if err := s.log.KeepBoot(context.WithoutCancel(s.server.Context()), s.id, s.boot); err != nil {
		s.logger.Warn().Err(err).Msg("terminal's clock is not kept")
	}
}
