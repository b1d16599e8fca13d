package main

import (
	"context"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// watchClock records each step of the wall clock until ctx ends. Nothing here waits by that clock or orders by it; but the
// times in the POS app and on receipts moved with it.
func (a *agent) watchClock(ctx context.Context) {
	for {
		select {
		case by := <-a.clock.Steps():
			a.log.Warn().Stringer("by", by.Round(time.Millisecond)).Msg("the wall clock was set")
			a.audit(&wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_TIME_STEP, Subject: "wall_clock", StepMs: new(by.Milliseconds())})
		case <-ctx.Done():
			return
		}
	}
}
