package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// lookAside is how often the agent looks whether a queue file was set aside while it ran.
const lookAside = time.Minute

// asideReport tells the backend of queue files that were set aside. It is not safe for concurrent use.
type asideReport struct {
	queue    *buffer.Queue
	record   func(context.Context, *wire.Audit) error
	unopened []unopened // of the start, that were not told of
	told     int        // of the queue's own
}

// tell records an event for each file that was not told of. What can't be recorded is tried again with the next call.
func (r *asideReport) tell(ctx context.Context) error {
	for len(r.unopened) > 0 {
		first := r.unopened[0]
		event := &wire.Audit{
			Kind: wire.AuditKind_AUDIT_KIND_QUEUE_SET_ASIDE, Subject: "queue", Found: first.found,
			File: filepath.Base(first.path), Saved: new(uint64(0)),
		}
		if err := r.record(ctx, event); err != nil {
			return err
		}
		r.unopened = r.unopened[1:]
	}
	for _, s := range r.queue.SetAside()[r.told:] {
		event := &wire.Audit{
			Kind: wire.AuditKind_AUDIT_KIND_QUEUE_SET_ASIDE, Subject: "queue", Found: s.Reason,
			File: filepath.Base(s.File), Saved: &s.Records, Missing: &s.Missing, Unreadable: &s.Unreadable,
		}
		if err := r.record(ctx, event); err != nil {
			return err
		}
		r.told++
	}
	return nil
}

// reportSetAside tells of queue files that are set aside, until ctx ends: of those of the start at once.
func (a *agent) reportSetAside(ctx context.Context) {
	r := asideReport{queue: a.queue, record: a.ledger.Audit, unopened: a.unopened}
	tick := time.NewTicker(lookAside)
	defer tick.Stop()
	for failed := false; ; {
		recording, cancel := context.WithTimeout(ctx, apiPatience)
		err := r.tell(recording)
		cancel()
		if err != nil && !failed && ctx.Err() == nil {
			a.log.Error().Err(err).Msg("that a queue file was set aside can't be recorded yet")
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
