package uplink

import (
	"bytes"
	"context"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// intakeRoom is how many messages about cards and settings wait for the terminal's disk: the rows that the backend may
	// send ahead, and some more. What is sent beyond that waits in the link, and the backend with it.
	intakeRoom = 16
	// tellTaken is after how many messages with rows the backend is told that they are stored.
	tellTaken = 2
)

// intake takes what one stream brings about cards and settings to where the terminal keeps it, in a goroutine of its own,
// so that acks do not wait for it.
type intake struct {
	*session
	cards   bool // the terminal takes cards, and the backend sends them
	to      chan *wire.ToTerminal
	logID   []byte // of the rows that came last
	through uint64 // of them
	broken  map[string]bool
}

// introduce puts into a Hello what the terminal has of settings and cards. When its cards can't be read, the stream goes
// without them.
func (s *session) introduce(hello *wire.Hello) {
	if s.Settings != nil {
		hello.Settings = s.Settings.Have()
		s.intake = &intake{session: s, broken: map[string]bool{}}
	}
	if s.Cards == nil {
		return
	}
	have, err := s.Cards.Have()
	if err != nil {
		s.Log.Error().Err(err).Msg("cards can't be read; the uplink goes without them")
		return
	}
	hello.Loyalty = have
	s.intake = &intake{session: s, cards: true, logID: have.GetLogId(), through: have.GetThrough(), broken: map[string]bool{}}
}

// settle begins to take settings, and cards when the backend sends any.
func (s *session) settle(w *wire.Welcome) {
	if s.intake == nil {
		return
	}
	s.intake.cards = s.intake.cards && w.GetCards() > 0
	s.intake.to = make(chan *wire.ToTerminal, intakeRoom)
	if s.intake.cards {
		s.asks = newAsks()
	}
}

// offer hands a message to the intake. It waits while there is no room for it, until ctx ends.
func (s *session) offer(ctx context.Context, m *wire.ToTerminal) {
	if s.intake == nil {
		return
	}
	select {
	case s.intake.to <- m:
	case <-ctx.Done():
	}
}

// run takes messages until ctx ends.
func (i *intake) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-i.to:
			i.take(ctx, m)
		}
	}
}

// take takes one message. After the first of a kind that can't be taken, no more of its kind are: the positions of rows and
// the numbers of leases say what is there, and must not pass what is not.
func (i *intake) take(ctx context.Context, m *wire.ToTerminal) {
	kind, wrong, store := i.judge(ctx, m)
	if kind == "" {
		return // nothing that was asked for
	}
	if i.broken[kind] {
		i.answered(m, errNotKept)
		return
	}
	if wrong != "" {
		i.broken[kind] = true
		i.answered(m, errNotKept)
		i.alarmCards(kind, wrong)
		return
	}
	err := store()
	if err != nil && ctx.Err() == nil {
		i.broken[kind] = true
		i.Log.Error().Err(err).Str("message", kind).Msg("what the backend sent can't be kept; it comes again with the next stream")
	}
	if err != nil {
		err = errNotKept
	}
	i.answered(m, err)
}

// judge returns what a message is, what is wrong with it, and how it is stored.
func (i *intake) judge(ctx context.Context, m *wire.ToTerminal) (kind, wrong string, store func() error) {
	if m := m.GetSettings(); m != nil && i.Settings != nil {
		return "settings", "", func() error { return i.Settings.Take(ctx, m) }
	}
	if !i.cards {
		return "", "", nil
	}
	switch m := m.GetMessage().(type) {
	case *wire.ToTerminal_CardRows:
		return "card_rows", i.checkRows(m.CardRows), func() error { return i.takeRows(ctx, m.CardRows) }
	case *wire.ToTerminal_Programmes:
		return "programmes", checkProgrammes(m.Programmes), func() error { return i.Cards.TakeProgrammes(ctx, m.Programmes) }
	case *wire.ToTerminal_LeaseAnswer:
		return "lease", checkLease(m.LeaseAnswer.GetLease()), func() error {
			if m.LeaseAnswer.GetLease() == nil {
				return nil
			}
			return i.Cards.TakeLease(ctx, m.LeaseAnswer.GetLease())
		}
	case *wire.ToTerminal_LeaseRecall:
		return "lease_recall", checkRecall(m.LeaseRecall), func() error { return i.Cards.RecallLease(ctx, m.LeaseRecall) }
	}
	return "", "", nil // a message of a later version
}

func (i *intake) takeRows(ctx context.Context, m *wire.CardRows) error {
	if len(m.GetLogId()) == 0 {
		m.LogId = i.logID
	}
	if err := i.Cards.TakeRows(ctx, m); err != nil {
		return err
	}
	i.logID, i.through = bytes.Clone(m.LogId), m.GetThrough()
	i.asks.took()
	return nil
}

// answered tells who asked for a lease what came of it.
func (i *intake) answered(m *wire.ToTerminal, err error) {
	if a := m.GetLeaseAnswer(); a.GetRequestId() != 0 {
		i.asks.answer(a, err)
	}
}

// alarmCards raises an alarm over a message that makes no sense, once for each kind.
func (c *Client) alarmCards(message, wrong string) {
	a := alarm{kind: wire.AuditKind_AUDIT_KIND_DOWNLINK_REFUSED, message: message}
	c.mu.Lock()
	again := c.alarmed[a]
	c.alarmed[a] = true
	c.mu.Unlock()
	if again {
		return
	}
	c.Log.Error().Str("message", message).Str("wrong", wrong).Msg("backend sent what makes no sense; it is not used")
	c.Alarm(&wire.Audit{Kind: a.kind, Subject: message})
}
