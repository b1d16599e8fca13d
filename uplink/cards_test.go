package uplink_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// shelf is where a test keeps what comes of cards.
type shelf struct {
	fail error // what TakeRows returns

	mu         sync.Mutex // guards everything below
	rows       []*wire.CardRows
	programmes int
	leases     []*wire.Lease
	recalls    []*wire.LeaseRecall
}

func (s *shelf) Have() (*wire.LoyaltyState, error) { return &wire.LoyaltyState{}, nil }

func (s *shelf) TakeRows(_ context.Context, m *wire.CardRows) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, m)
	return s.fail
}

func (s *shelf) TakeProgrammes(context.Context, *wire.Programmes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programmes++
	return nil
}

func (s *shelf) TakeLease(_ context.Context, l *wire.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases = append(s.leases, l)
	return nil
}

func (s *shelf) RecallLease(_ context.Context, m *wire.LeaseRecall) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recalls = append(s.recalls, m)
	return nil
}

// welcomeCards answers Hello as a backend that serves cards.
func welcomeCards(l link) (*wire.Hello, error) {
	m, err := l.Recv()
	if err != nil {
		return nil, err
	}
	w := &wire.Welcome{ServerUnixMs: time.Now().UnixMilli(), Cards: 1}
	for range m.GetHello().GetLanes() {
		w.Watermarks = append(w.Watermarks, &wire.Watermark{})
	}
	return m.GetHello(), l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}})
}

// acks acknowledges batches until the stream ends, and hands on what else comes.
func acks(l link, other func(*wire.ToBackend) error) error {
	var c chain
	for {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		b := m.GetBatch()
		if b == nil {
			if err := other(m); err != nil {
				return err
			}
			continue
		}
		a := &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1, Chain: c.take(b.GetFirstSeq(), b.GetRecords())}
		if err := sendAck(l, a); err != nil {
			return err
		}
	}
}

func rowsOf(m *wire.CardRows) *wire.ToTerminal {
	return &wire.ToTerminal{Message: &wire.ToTerminal_CardRows{CardRows: m}}
}

func nothing(*wire.ToBackend) error { return nil }

// A backend that sends nonsense about cards is told of, none of it and nothing of its kind after it is used, and the ledger
// goes on.
func TestNonsenseAboutCards(t *testing.T) {
	id, ref := make([]byte, 16), make([]byte, 32)
	good := &wire.CardRows{LogId: id, AsOf: 9, Through: 9, Rows: []*wire.CardRow{{Ref: ref, Row: []byte{1}}}}
	lease := func(l *wire.Lease) *wire.ToTerminal {
		return &wire.ToTerminal{Message: &wire.ToTerminal_LeaseAnswer{LeaseAnswer: &wire.LeaseAnswer{Lease: l}}}
	}
	many := make([]*wire.CardRow, 5000)
	for i := range many {
		many[i] = good.Rows[0]
	}
	for name, m := range map[string]*wire.ToTerminal{
		"no log":                 rowsOf(&wire.CardRows{AsOf: 9, Through: 9}),
		"a log's id is short":    rowsOf(&wire.CardRows{LogId: id[:7], AsOf: 9, Through: 9}),
		"through beyond as of":   rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Through: 10}),
		"a ref is short":         rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Rows: []*wire.CardRow{{Ref: ref[:31], Row: []byte{1}}}}),
		"a row is empty":         rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Rows: []*wire.CardRow{{Ref: ref}}}),
		"a row is large":         rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Rows: []*wire.CardRow{{Ref: ref, Row: make([]byte, 65<<10)}}}),
		"many rows":              rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Rows: many}),
		"a mark of no epoch":     rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Marks: []*wire.RowMark{{Seq: 1}}}),
		"300 KiB":                rowsOf(&wire.CardRows{LogId: id, AsOf: 9, Rows: []*wire.CardRow{{Ref: ref, Row: make([]byte, 60<<10)}, {Ref: ref, Row: make([]byte, 60<<10)}, {Ref: ref, Row: make([]byte, 60<<10)}, {Ref: ref, Row: make([]byte, 60<<10)}, {Ref: ref, Row: make([]byte, 60<<10)}}}),
		"rules without a tag":    {Message: &wire.ToTerminal_Programmes{Programmes: &wire.Programmes{}}},
		"a lease of nobody":      lease(&wire.Lease{Id: id, Number: 1, ProgrammeId: "coffee", Rights: 1, UntilUnixMs: 1, TtlS: 1}),
		"a lease of no rights":   lease(&wire.Lease{Id: id, Number: 1, AccountRef: ref, ProgrammeId: "coffee", UntilUnixMs: 1, TtlS: 1}),
		"a lease of -1 rights":   lease(&wire.Lease{Id: id, Number: 1, AccountRef: ref, ProgrammeId: "coffee", Rights: -1, UntilUnixMs: 1, TtlS: 1}),
		"a lease with no number": lease(&wire.Lease{Id: id, AccountRef: ref, ProgrammeId: "coffee", Rights: 1, UntilUnixMs: 1, TtlS: 1}),
		"a recall of nothing":    {Message: &wire.ToTerminal_LeaseRecall{LeaseRecall: &wire.LeaseRecall{AccountRef: ref}}},
		"a recall from nobody":   {Message: &wire.ToTerminal_LeaseRecall{LeaseRecall: &wire.LeaseRecall{Id: id, AccountRef: ref[:16]}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			b := newBench(t, serveScript(t, func(l link) error {
				if _, err := welcomeCards(l); err != nil {
					return err
				}
				if err := errors.Join(l.Send(m), l.Send(m)); err != nil {
					return err
				}
				if m.GetCardRows() != nil { // the good one comes too late
					if err := l.Send(rowsOf(good)); err != nil {
						return err
					}
				}
				return acks(l, nothing)
			}), func(o *uplink.Options) { o.Cards = s })
			b.run()
			eventually(t, "the alarm", func() bool { return b.alarmed(wire.AuditKind_AUDIT_KIND_DOWNLINK_REFUSED) })
			b.add(3)
			flushed(t, b)
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.rows)+len(s.leases)+len(s.recalls)+s.programmes > 0 || len(b.alarms) != 1 {
				t.Errorf("used: %v %v %d, alarms %v", s.rows, s.leases, s.programmes, b.alarms)
			}
		})
	}
}

// Positions that go back within a log are nonsense; in another log they are not.
func TestPositionsOfRows(t *testing.T) {
	s := &shelf{}
	first, second := make([]byte, 16), append(make([]byte, 15), 1)
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := welcomeCards(l); err != nil {
			return err
		}
		for _, m := range []*wire.CardRows{
			{LogId: first, AsOf: 9, Through: 9}, {AsOf: 10, Through: 10}, {LogId: second, AsOf: 3, Through: 2}, {AsOf: 3, Through: 1},
		} {
			if err := l.Send(rowsOf(m)); err != nil {
				return err
			}
		}
		return acks(l, nothing)
	}), func(o *uplink.Options) { o.Cards = s })
	b.run()
	eventually(t, "the alarm", func() bool { return b.alarmed(wire.AuditKind_AUDIT_KIND_DOWNLINK_REFUSED) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) != 3 || string(s.rows[1].LogId) != string(first) {
		t.Errorf("taken: %v", s.rows)
	}
}

// Rows that can't be stored end the taking of rows on the stream: what comes after them must not pass for all there is.
func TestRowsThatCannotBeStored(t *testing.T) {
	s := &shelf{fail: errors.New("disk is full")}
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := welcomeCards(l); err != nil {
			return err
		}
		for i := range uint64(3) {
			if err := l.Send(rowsOf(&wire.CardRows{LogId: make([]byte, 16), AsOf: i, Through: i})); err != nil {
				return err
			}
		}
		return acks(l, nothing)
	}), func(o *uplink.Options) { o.Cards = s })
	b.run()
	b.add(3)
	flushed(t, b)
	eventually(t, "the first rows", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.rows) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) != 1 || len(b.alarms) != 0 {
		t.Errorf("%d messages were taken after the first could not be, alarms %v", len(s.rows)-1, b.alarms)
	}
}

// A backend that knows nothing of cards is told of them in Hello alone, and asked nothing.
func TestOlderBackend(t *testing.T) {
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := hello(l); err != nil {
			return err
		}
		return acks(l, func(m *wire.ToBackend) error { t.Errorf("it is sent %v", m); return nil })
	}), func(o *uplink.Options) { o.Cards = &shelf{} })
	b.add(2)
	b.run()
	flushed(t, b)
	if _, err := b.client.RequestLease(t.Context(), &wire.LeaseRequest{}); !errors.Is(err, uplink.ErrNoAnswer) {
		t.Errorf("asked, got %v", err)
	}
}

// A backend that does not answer holds nobody up for more than two seconds, and an answer that comes late is kept.
func TestLateAnswer(t *testing.T) {
	s := &shelf{}
	asked := make(chan *wire.LeaseRequest, 1)
	answer := make(chan struct{})
	b := newBench(t, serveScript(t, func(l link) error {
		if _, err := welcomeCards(l); err != nil {
			return err
		}
		return acks(l, func(m *wire.ToBackend) error {
			r := m.GetLeaseRequest()
			asked <- r
			<-answer
			return l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_LeaseAnswer{LeaseAnswer: &wire.LeaseAnswer{RequestId: r.RequestId, Lease: &wire.Lease{
				Id: make([]byte, 16), Number: 1, AccountRef: make([]byte, 32), ProgrammeId: "coffee", Rights: 1, UntilUnixMs: 1, TtlS: 1,
			}}}})
		})
	}), func(o *uplink.Options) { o.Cards = s })
	b.run()
	eventually(t, "the terminal to be online", b.client.Online)
	begin := time.Now()
	_, err := b.client.RequestLease(t.Context(), &wire.LeaseRequest{ProgrammeId: "coffee"})
	if took := time.Since(begin); !errors.Is(err, uplink.ErrNoAnswer) || took < time.Second || took > 4*time.Second {
		t.Errorf("got %v after %v", err, took)
	}
	if r := <-asked; r.GetProgrammeId() != "coffee" || r.GetRequestId() == 0 {
		t.Errorf("the backend was asked %v", r)
	}
	close(answer)
	eventually(t, "the lease", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.leases) == 1 })
}
