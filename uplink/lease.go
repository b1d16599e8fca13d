package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// ErrNoAnswer means that the backend can't be asked, or has not answered in time. It may have granted what was asked for:
// the lease then comes later, or with the next stream, as one that was not asked for.
var ErrNoAnswer = errors.New("backend has not answered")

// Why there is no answer.
var (
	errOffline = fmt.Errorf("%w: the uplink is down", ErrNoAnswer)
	errLate    = fmt.Errorf("%w in time", ErrNoAnswer)
	errNoCards = fmt.Errorf("%w: it serves no cards", ErrNoAnswer)
	errBusy    = fmt.Errorf("%w: too many requests wait", ErrNoAnswer)
	errNotKept = fmt.Errorf("%w in a way that could be kept", ErrNoAnswer)
)

const (
	// askPatience is the longest that anybody waits for an answer.
	askPatience = 2 * time.Second
	// maxAsks is how many requests may wait.
	maxAsks = 64
)

// RequestLease asks the backend for the right to give a reward, which is also how it confirms one that is given now. The
// request's id is the client's to set. When it returns a lease, [Cards] has stored it before.
//
// It waits for 2 s at most, and not at all while the uplink is down: the error then is [ErrNoAnswer], or ctx's. A refusal is
// no error.
func (c *Client) RequestLease(ctx context.Context, r *wire.LeaseRequest) (*wire.LeaseAnswer, error) {
	c.mu.Lock()
	online, asks := c.state == wire.UplinkState_UPLINK_STATE_ONLINE, c.asking
	c.mu.Unlock()
	switch {
	case !online:
		return nil, errOffline
	case asks == nil:
		return nil, errNoCards
	}
	a, err := asks.ask(r)
	if err != nil {
		return nil, err
	}
	defer asks.forget(a)
	late := time.NewTimer(askPatience)
	defer late.Stop()
	select {
	case got := <-a.answer:
		return got.LeaseAnswer, got.err
	case <-asks.over:
		return nil, errOffline
	case <-late.C:
		return nil, errLate
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asks are the requests of one stream, and what else is to be told of cards. It is safe for concurrent use.
type asks struct {
	more chan struct{} // a token when there is something to send
	over chan struct{} // closed when the stream has ended

	mu      sync.Mutex // guards everything below
	last    uint64
	waiting map[uint64]*ask
	unsent  []*wire.LeaseRequest
	taken   uint64 // messages with rows that are stored
	told    uint64 // the same, as the backend knows
}

// ask is one request that waits.
type ask struct {
	id     uint64
	answer chan answered // has room for the one
}

type answered struct {
	*wire.LeaseAnswer
	err error
}

func newAsks() *asks {
	return &asks{more: make(chan struct{}, 1), over: make(chan struct{}), waiting: map[uint64]*ask{}}
}

// ask puts a request among those to send.
func (a *asks) ask(r *wire.LeaseRequest) (*ask, error) {
	r = proto.CloneOf(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) >= maxAsks {
		return nil, errBusy
	}
	a.last++
	r.RequestId = a.last
	one := &ask{id: r.RequestId, answer: make(chan answered, 1)}
	a.waiting[one.id] = one
	a.unsent = append(a.unsent, r)
	a.wake()
	return one, nil
}

// took notes that a message with rows is stored.
func (a *asks) took() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.taken++
	a.wake()
}

// wake sees to it that what there is to send is sent. a.mu is held.
func (a *asks) wake() {
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// pending returns a channel that has a token when there is something to send.
func (a *asks) pending() <-chan struct{} {
	if a == nil {
		return nil
	}
	return a.more
}

// forget ends the waiting.
func (a *asks) forget(one *ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, one.id)
}

// next returns what is to be sent next: what is stored, or a request that somebody still waits for; or nil.
func (a *asks) next() *wire.ToBackend {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken >= a.told+tellTaken {
		a.told = a.taken
		return &wire.ToBackend{Message: &wire.ToBackend_RowsTaken{RowsTaken: &wire.RowsTaken{Messages: a.taken}}}
	}
	for len(a.unsent) > 0 {
		r := a.unsent[0]
		a.unsent = a.unsent[1:]
		if a.waiting[r.GetRequestId()] != nil {
			return &wire.ToBackend{Message: &wire.ToBackend_LeaseRequest{LeaseRequest: r}}
		}
	}
	return nil
}

// answer hands an answer to who waits for it.
func (a *asks) answer(m *wire.LeaseAnswer, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.waiting[m.GetRequestId()]; one != nil {
		delete(a.waiting, one.id)
		one.answer <- answered{m, err}
	}
}

// silence ends the waiting of all, at the end of the stream.
func (s *session) silence() {
	if s.asks == nil {
		return
	}
	s.mu.Lock()
	s.asking = nil
	s.mu.Unlock()
	close(s.asks.over)
}

// sendAsk sends the next request, if there is one. What was recorded before has been sent before, unless there is so much
// that it waits for acks.
func (s *session) sendAsk() (bool, error) {
	if s.asks == nil {
		return false, nil
	}
	message := s.asks.next()
	if message == nil {
		return false, nil
	}
	s.secure.sort.announce(forLedger, proto.Size(message))
	if err := s.stream.Send(message); err != nil {
		<-s.stream.Context().Done() // the receiver gets the reason, and ends the session with it
		return false, err
	}
	return true, nil
}
