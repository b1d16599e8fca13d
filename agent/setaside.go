package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// lookAside is how often the agent looks whether a queue file was set aside while it ran.
const lookAside = 10 * time.Second

// asideReport tells the backend of queue files that were set aside. It is not safe for concurrent use.
type asideReport struct {
	queue      *buffer.Queue
	record     func(context.Context, *wire.Audit) error
	withoutKey string // the file whose key was gone at the start; empty when there was none, or it was told of
	told       int    // of the queue's own
}

// tell records an event for each file that was not told of. What can't be recorded is tried again with the next call.
func (r *asideReport) tell(ctx context.Context) error {
	if r.withoutKey != "" {
		event := &wire.Audit{
			Kind: wire.AuditKind_AUDIT_KIND_QUEUE_SET_ASIDE, Subject: "queue", Found: "key missing",
			File: filepath.Base(r.withoutKey), Saved: new(uint64(0)),
		}
		if err := r.record(ctx, event); err != nil {
			return err
		}
		r.withoutKey = ""
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
	r := asideReport{queue: a.queue, record: a.ledger.Audit, withoutKey: a.withoutKey}
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
