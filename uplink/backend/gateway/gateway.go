// Package gateway is the backend's end of the uplink: it takes streams from terminals, appends what they send to the
// log, and acknowledges what is on disk.
//
// Who a terminal is, it takes from the verified client certificate and from nothing else. What one terminal sends, or
// fails to send, never touches another's stream. It keeps nothing of its own: watermarks are the log's.
package gateway

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/cards"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/backend/settings"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Options is what a gateway needs.
type Options struct {
	Log    *eventlog.Log
	Name   string           // the gateway's name, stored with every record; may be empty
	Logger zerolog.Logger   // the zero Logger is silent
	Deny   *deny.List       // whose streams are ended, and not taken; nil is nobody
	Now    func() time.Time // wall clock; time.Now when nil

	Cards      *cards.Index     // what is sent down; nil: nothing is
	Programmes *programme.Store // the same; not nil unless Cards is
	Settings   *settings.Store  // what is sent down of terminals' settings; nil: nothing is
	EchoAfter  time.Duration    // how long a terminal waits for the rows of cards that it alone has changed; 1 min when 0
}

// Gateway serves terminals. Make one with [New], and serve it with [NewServer]. It is safe for concurrent use.
type Gateway struct {
	wire.UnimplementedUplinkServiceServer

	log    *eventlog.Log
	name   string
	logger zerolog.Logger
	deny   *deny.List
	now    func() time.Time

	cards      *cards.Index
	programmes *programme.Store
	settings   *settings.Store
	echoAfter  time.Duration

	mu       sync.Mutex                    // guards streams
	streams  map[identity.ID]chan struct{} // the stream of each terminal; closed when a newer one takes its place
	stopping chan struct{}
	stopOnce sync.Once
}

// New returns a gateway that appends to a log.
func New(o Options) *Gateway {
	g := &Gateway{
		log:    o.Log,
		name:   o.Name,
		logger: o.Logger,
		deny:   o.Deny,
		now:    o.Now,
		cards:  o.Cards, programmes: o.Programmes, settings: o.Settings, echoAfter: o.EchoAfter,
		streams:  map[identity.ID]chan struct{}{},
		stopping: make(chan struct{}),
	}
	if g.echoAfter == 0 {
		g.echoAfter = defaultEchoAfter
	}
	if g.now == nil {
		g.now = time.Now
	}
	return g
}

// Stop ends every stream, and each new one at once, with UNAVAILABLE. What was received by then is still stored and
// acknowledged. It returns before the streams have ended; the server's graceful stop waits for them.
func (g *Gateway) Stop() {
	g.stopOnce.Do(func() { close(g.stopping) })
}

// Streams returns how many terminals are connected.
func (g *Gateway) Streams() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.streams)
}

// enter makes the caller the terminal's only stream. The channel is closed when a newer one takes its place.
func (g *Gateway) enter(id identity.ID) <-chan struct{} {
	replaced := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	if older := g.streams[id]; older != nil {
		close(older)
	}
	g.streams[id] = replaced
	return replaced
}

// leave forgets the stream, unless a newer one has taken its place.
func (g *Gateway) leave(id identity.ID, replaced <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams[id] == replaced {
		delete(g.streams, id)
	}
}
