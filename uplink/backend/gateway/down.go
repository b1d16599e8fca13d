package gateway

import (
	"bytes"
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/backend/cards"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// defaultEchoAfter is how long a terminal waits for the rows of cards that it alone has changed: it knows what they
	// come to, and several go into one message.
	defaultEchoAfter = time.Minute
	// maxAsked is how many requests of a terminal are answered at a time.
	maxAsked = 8
	// finishWait is how long the last acks of a stream may take to be sent.
	finishWait = time.Second
	// rowsAhead is how many messages with rows a terminal is sent that it has not stored (RowsTaken).
	rowsAhead = 4
)

// down sends a terminal its acks and, as the link takes it, what is new of cards, rules and leases. One goroutine sends;
// nothing is kept for a slow terminal but where it stands.
type down struct {
	*stream
	acks    chan *wire.ToTerminal
	asked   chan struct{} // as many tokens as requests are being answered
	answers chan *wire.LeaseAnswer
	done    chan struct{} // closed when nothing more is sent
	err     error         // why; read only after that

	taken  atomic.Uint64 // messages with rows that the terminal has stored
	stored chan struct{} // gets a token when that has changed
	sent   uint64        // messages with rows that were sent

	watch  *cards.Watch
	have   *wire.LoyaltyState
	feed   *cards.Feed // nil until the index has caught up
	agenda agenda
	tag    []byte // of the rules that were sent
	lease  uint64 // the number of the last lease that was sent
}

// agenda is what there may be to send.
type agenda struct{ rows, rules, leases, recalls, failed bool }

// lead begins to send cards to a terminal that takes them.
func (s *stream) lead(have *wire.LoyaltyState) {
	if have == nil || s.cards == nil {
		return
	}
	s.down = &down{
		stream: s, acks: make(chan *wire.ToTerminal), asked: make(chan struct{}, maxAsked),
		answers: make(chan *wire.LeaseAnswer, maxAsked), done: make(chan struct{}), stored: make(chan struct{}, 1),
		watch: s.cards.Watch(s.id), have: have, agenda: agenda{rules: true, leases: true},
		tag: have.ProgrammesTag, lease: have.LeaseNumber,
	}
	go s.down.run(s.server.Context())
}

// send sends an ack.
func (s *stream) send(m *wire.ToTerminal) error {
	if s.down == nil {
		return s.server.Send(m)
	}
	select {
	case s.down.acks <- m:
		return nil
	case <-s.down.done:
		return s.down.err
	}
}

// finish sends what is left of acks, and ends the sending.
func (d *down) finish() {
	if d == nil {
		return
	}
	close(d.acks)
	late := time.NewTimer(finishWait)
	defer late.Stop()
	select {
	case <-d.done:
	case <-late.C: // the link is stuck; the end of the stream ends it
	}
}

// run sends until the stream ends.
func (d *down) run(ctx context.Context) {
	defer close(d.done)
	defer d.watch.Close()
	defer d.recovered()
	d.err = status.Error(codes.Internal, "the backend failed") // unless something else is said
	var echo <-chan time.Time
	caughtUp := d.cards.CaughtUp()
	for {
		changed := d.programmes.Changed() // before looking, so that nothing is missed
		if !d.step() {
			return
		}
		if d.due() {
			if !d.urgent() {
				return
			}
			continue
		}
		select {
		case m, ok := <-d.acks:
			if !ok || !d.push(m) {
				return
			}
		case a := <-d.answers:
			if !d.answer(a) {
				return
			}
		case <-caughtUp:
			caughtUp = nil
			d.begin()
		case <-d.watch.Changed():
			d.agenda.rows = true
		case <-d.watch.Echoed():
			if echo == nil {
				echo = time.After(d.echoAfter)
			}
		case <-echo:
			echo, d.agenda.rows = nil, true
		case <-d.stored:
		case <-d.watch.Leased():
			d.agenda.leases = true
		case <-d.watch.Recalled():
			d.agenda.recalls = true
		case <-changed:
			d.agenda.rules = true
		case <-ctx.Done():
			return
		}
	}
}

// recovered keeps a fault on one terminal's behalf from ending the others' streams. It is deferred.
func (d *down) recovered() {
	if p := recover(); p != nil {
		d.logger.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("stream failed")
	}
}

// urgent sends an ack or an answer that waits, if there is one, and reports whether the stream goes on.
func (d *down) urgent() bool {
	select {
	case m, ok := <-d.acks:
		return ok && d.push(m)
	case a := <-d.answers:
		return d.answer(a)
	default:
		return true
	}
}

// due reports whether there is something to send now.
func (d *down) due() bool {
	return d.agenda.rules || d.agenda.leases || d.agenda.recalls || d.agenda.rows && !d.full()
}

// full reports whether the terminal has as many rows to store as it may.
func (d *down) full() bool { return d.sent >= d.taken.Load()+rowsAhead }

// credit notes how many messages with rows the terminal has stored.
func (d *down) credit(messages uint64) {
	d.taken.Store(messages)
	select {
	case d.stored <- struct{}{}:
	default:
	}
}

// begin finds out where the terminal stands.
func (d *down) begin() {
	var err error
	if d.feed, err = d.cards.Feed(d.id, d.have); err != nil {
		d.fail(err)
		return
	}
	d.have, d.agenda.rows = nil, true
}

// fail ends the sending of cards on this stream; acks go on.
func (d *down) fail(err error) {
	d.logger.Error().Err(err).Msg("cannot send cards")
	d.agenda = agenda{failed: true}
}

// step sends one thing that there is to send, and reports whether the stream goes on.
func (d *down) step() bool {
	switch {
	case d.agenda.failed:
		d.agenda = agenda{failed: true}
		return true
	case d.agenda.leases:
		d.agenda.leases = false
		return d.sendLeases(^uint64(0))
	case d.agenda.recalls:
		d.agenda.recalls = false
		return d.sendRecalls()
	case d.agenda.rules:
		d.agenda.rules = false
		return d.sendRules()
	case d.agenda.rows && d.feed == nil:
		d.agenda.rows = false // they come once the index has caught up
		return true
	case d.agenda.rows && !d.full():
		m, err := d.feed.Next()
		if err != nil {
			d.fail(err)
			return true
		}
		if d.agenda.rows = m != nil; m == nil {
			return true
		}
		d.sent++
		return d.push(&wire.ToTerminal{Message: &wire.ToTerminal_CardRows{CardRows: m}})
	}
	return true
}

// push sends a message, and reports whether the stream goes on.
func (d *down) push(m *wire.ToTerminal) bool {
	if err := d.server.Send(m); err != nil {
		d.err = err
		return false
	}
	return true
}

func (d *down) sendRules() bool {
	set, err := d.programmes.Set(d.id.Merchant)
	if err != nil {
		d.logger.Error().Err(err).Msg("cannot send programmes; the terminal's stay in force")
		return true
	}
	if len(set.Wire.Programmes) == 0 || bytes.Equal(set.Wire.Tag, d.tag) {
		return true
	}
	d.tag = set.Wire.Tag
	return d.push(&wire.ToTerminal{Message: &wire.ToTerminal_Programmes{Programmes: set.Wire}})
}

// sendLeases sends the leases that the terminal does not have, up to a number.
func (d *down) sendLeases(through uint64) bool {
	leases, last, err := d.cards.Leases(d.id, d.lease, through)
	if err != nil {
		d.fail(err)
		return true
	}
	for _, l := range leases {
		if !d.push(&wire.ToTerminal{Message: &wire.ToTerminal_LeaseAnswer{LeaseAnswer: &wire.LeaseAnswer{Lease: l}}}) {
			return false
		}
	}
	d.lease = min(last, max(d.lease, min(through, last)))
	return true
}

// sendRecalls sends the recalls that wait, after the leases that they are for.
func (d *down) sendRecalls() bool {
	recalls := d.watch.Recalls()
	if !d.sendLeases(^uint64(0)) {
		return false
	}
	for _, m := range recalls {
		if !d.push(&wire.ToTerminal{Message: &wire.ToTerminal_LeaseRecall{LeaseRecall: m}}) {
			return false
		}
	}
	return true
}

// answer sends an answer, after the leases that were granted before.
func (d *down) answer(a *wire.LeaseAnswer) bool {
	if n := a.GetLease().GetNumber(); n > d.lease {
		if !d.sendLeases(n - 1) {
			return false
		}
		d.lease = n
	}
	return d.push(&wire.ToTerminal{Message: &wire.ToTerminal_LeaseAnswer{LeaseAnswer: a}})
}

// ask has a request answered. One too many is not: the terminal waits for a moment only, and asks again.
func (d *down) ask(r *wire.LeaseRequest) {
	select {
	case d.asked <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-d.asked }()
		defer d.recovered()
		a := d.cards.Lease(d.server.Context(), d.id, r)
		a.RequestId = r.RequestId
		select {
		case d.answers <- a:
		case <-d.done:
		}
	}()
}
