package gateway

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"time"
)

const (
	// ticketSize is a ticket's length in bytes. It is a random number that means something here only: Go's own tickets
	// carry the client's chain, sealed, and cost more bytes than a full handshake.
	ticketSize = 16
	// maxTickets is how many sessions are kept, at about 1 KB each. When there are more, the oldest are forgotten, and
	// their terminals shake hands in full.
	maxTickets = 50_000
	// ticketLife is how long a session can be resumed, the most that TLS allows (RFC 8446, section 4.6.1).
	ticketLife = 7 * 24 * time.Hour
)

type ticket [ticketSize]byte

// tickets keeps the TLS sessions that terminals may resume. Resuming takes no certificate and no signature, which saves
// two thirds of the bytes of a reconnect and half of its CPU. It proves the same: that the terminal has the key that it
// and this gateway agreed on when its certificate was last verified. Each resumption agrees on new keys, and the
// certificate's end, its authority and the deny list are looked at again.
//
// A terminal may have two: it holds on to the one before when the newest is lost on the way.
type tickets struct {
	mu      sync.Mutex // guards everything below
	age     *list.List // of *resumable, the oldest first
	known   map[ticket]*list.Element
	holders map[[sha256.Size]byte][2]ticket // by certificate: the newest, and the one before
}

// resumable is one session.
type resumable struct {
	ticket ticket
	holder [sha256.Size]byte
	issued time.Time
	state  []byte
}

func newTickets() *tickets {
	return &tickets{age: list.New(), known: map[ticket]*list.Element{}, holders: map[[sha256.Size]byte][2]ticket{}}
}

// wrap keeps a session and returns its ticket. It has the signature of [tls.Config.WrapSession].
func (t *tickets) wrap(conn tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	state, err := session.Bytes()
	if err != nil {
		return nil, err
	}
	r := &resumable{issued: time.Now(), state: state}
	rand.Read(r.ticket[:]) // never fails since Go 1.24
	if len(conn.PeerCertificates) > 0 {
		r.holder = sha256.Sum256(conn.PeerCertificates[0].Raw)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	had := t.holders[r.holder]
	t.forget(had[1])
	t.holders[r.holder] = [2]ticket{r.ticket, had[0]}
	t.known[r.ticket] = t.age.PushBack(r)
	for oldest := t.age.Front(); oldest != nil; oldest = t.age.Front() {
		old := oldest.Value.(*resumable)
		if t.age.Len() <= maxTickets && r.issued.Sub(old.issued) <= ticketLife {
			break
		}
		t.forget(old.ticket)
	}
	return r.ticket[:], nil
}

// unwrap returns the session of a ticket, or nil when there is none. It has the signature of [tls.Config.UnwrapSession].
func (t *tickets) unwrap(label []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
	if len(label) != ticketSize {
		return nil, nil
	}
	t.mu.Lock()
	e, ok := t.known[ticket(label)]
	t.mu.Unlock()
	if !ok {
		return nil, nil
	}
	return tls.ParseSessionState(e.Value.(*resumable).state)
}

// forget forgets a session, if it is known. t.mu is held.
func (t *tickets) forget(id ticket) {
	e, ok := t.known[id]
	if !ok {
		return
	}
	r := t.age.Remove(e).(*resumable)
	delete(t.known, id)
	if had := t.holders[r.holder]; had[0] == id {
		delete(t.holders, r.holder)
	} else {
		t.holders[r.holder] = [2]ticket{had[0]}
	}
}
