package collect

import (
	"context"
	"sync"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// tamperEvery is the pause between what is told of a tamper switch after a burst: what it does meanwhile is counted. A loose
	// switch must not fill the ledger, which drops nothing.
	tamperEvery = 10 * time.Minute
	// contactRetry is how often what could not be told yet is looked at.
	contactRetry = time.Minute
	// tamperSubject is what an event calls the tamper switch.
	tamperSubject = "tamper"
)

// contactNews is a new state of a switch.
type contactNews struct {
	kind  wire.ContactKind
	state hal.Contact
}

// contactTale is what is to be told of one switch.
type contactTale struct {
	allowed allowance
	kind    wire.ContactKind

	pending bool
	state   hal.Contact
	changes uint32 // of the state that was told last

	active, known        bool   // the last level that was known
	opened, closed, lost uint32 // what happened and was not told yet
}

// take takes in a state.
func (t *contactTale) take(state hal.Contact) {
	t.state, t.pending = state, true
	switch {
	case state.Err != nil:
		t.lost++
		return
	case state.Active && (!t.known || !t.active):
		t.opened++
	case !state.Active && t.known && t.active:
		t.closed++
	}
	t.active, t.known = state.Active, true
}

// reading returns what telemetry is told.
func (t *contactTale) reading() *wire.Contact {
	r := &wire.Contact{Kind: t.kind, Changes: t.state.Changes - t.changes}
	if t.state.Err == nil {
		r.Active = &t.state.Active
	}
	return r
}

// audits returns what the ledger is told of a tamper switch, the last that happened last.
func (t *contactTale) audits() []*wire.Audit {
	event := func(kind wire.AuditKind, count uint32, found string) []*wire.Audit {
		if count == 0 {
			return nil
		}
		a := &wire.Audit{Kind: kind, Subject: tamperSubject, Found: found}
		if count > 1 {
			a.Count = &count
		}
		return []*wire.Audit{a}
	}
	opened := event(wire.AuditKind_AUDIT_KIND_TAMPER_OPENED, t.opened, "")
	closed := event(wire.AuditKind_AUDIT_KIND_TAMPER_CLOSED, t.closed, "")
	if t.state.Err != nil {
		lost := event(wire.AuditKind_AUDIT_KIND_TAMPER_UNREADABLE, t.lost, t.state.Reason())
		return append(append(opened, closed...), lost...)
	}
	lost := event(wire.AuditKind_AUDIT_KIND_TAMPER_UNREADABLE, t.lost, "")
	if t.state.Active {
		return append(append(lost, closed...), opened...)
	}
	return append(append(lost, opened...), closed...)
}

// told forgets what was told.
func (t *contactTale) told() {
	t.changes, t.pending = t.state.Changes, false
	t.opened, t.closed, t.lost = 0, 0, 0
}

// watchContacts tells of the tamper switch and the dock at once, until ctx ends.
func (c *Collector) watchContacts(ctx context.Context) {
	news := make(chan contactNews)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		c.opts.Board.WatchContacts(ctx, func(kind wire.ContactKind, state hal.Contact) {
			select {
			case news <- contactNews{kind, state}:
			case <-ctx.Done():
			}
		})
	})
	tales := map[wire.ContactKind]*contactTale{
		wire.ContactKind_CONTACT_KIND_TAMPER: {kind: wire.ContactKind_CONTACT_KIND_TAMPER, allowed: allowance{every: tamperEvery}},
		wire.ContactKind_CONTACT_KIND_DOCK:   {kind: wire.ContactKind_CONTACT_KIND_DOCK, allowed: allowance{every: c.opts.BlockEvery}},
	}
	var again <-chan time.Time // while something waits
	for {
		select {
		case n := <-news:
			tales[n.kind].take(n.state)
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		for _, t := range tales {
			c.tell(t)
			if t.pending {
				again = time.After(contactRetry)
			}
		}
	}
}

// tell tells of a switch if there is something to tell and it may be told now.
func (c *Collector) tell(t *contactTale) {
	now := time.Now()
	if !t.pending || !t.allowed.take(now) {
		return
	}
	if t.kind == wire.ContactKind_CONTACT_KIND_TAMPER {
		for _, a := range t.audits() {
			c.opts.Audit(a)
		}
	}
	c.record(now, &wire.Event{Body: &wire.Event_Contact{Contact: t.reading()}})
	c.Flush()
	t.told()
}
