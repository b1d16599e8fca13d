package cards

import (
	"bytes"
	"slices"
	"sync"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// maxRecalls is how many leases of a terminal wait to be recalled; one more is recalled when it is asked for again.
const maxRecalls = 64

// hub wakes those who send cards to terminals.
type hub struct {
	mu       sync.Mutex // guards watchers
	watchers map[string]map[*Watch]struct{}
}

func newHub() hub { return hub{watchers: map[string]map[*Watch]struct{}{}} }

// Watch tells one stream when there is something to send. Close it.
type Watch struct {
	hub      *hub
	id       identity.ID
	changed  chan struct{}
	echoed   chan struct{}
	leased   chan struct{}
	recalled chan struct{}
	recalls  []*wire.LeaseRecall // not taken yet; guarded by hub.mu
	closeOne sync.Once
}

// Watch begins to tell of a terminal's merchant.
func (x *Index) Watch(id identity.ID) *Watch {
	w := &Watch{
		hub: &x.hub, id: id,
		changed: make(chan struct{}, 1), echoed: make(chan struct{}, 1), leased: make(chan struct{}, 1),
		recalled: make(chan struct{}, 1),
	}
	x.hub.mu.Lock()
	defer x.hub.mu.Unlock()
	if x.hub.watchers[id.Merchant] == nil {
		x.hub.watchers[id.Merchant] = map[*Watch]struct{}{}
	}
	x.hub.watchers[id.Merchant][w] = struct{}{}
	return w
}

// Changed returns a channel that gets a token when a card was changed by somebody else than the terminal.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Echoed returns a channel that gets a token when a card was changed by the terminal alone: it knows, and can wait.
func (w *Watch) Echoed() <-chan struct{} { return w.echoed }

// Leased returns a channel that gets a token when the terminal was granted a lease.
func (w *Watch) Leased() <-chan struct{} { return w.leased }

// Recalled returns a channel that gets a token when leases of the terminal are recalled.
func (w *Watch) Recalled() <-chan struct{} { return w.recalled }

// Recalls returns the leases that are recalled, each once. The leases themselves are known to [Index.Leases] by then.
func (w *Watch) Recalls() (all []*wire.LeaseRecall) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	all, w.recalls = w.recalls, nil
	return all
}

// Close ends it.
func (w *Watch) Close() {
	w.closeOne.Do(func() {
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		all := w.hub.watchers[w.id.Merchant]
		delete(all, w)
		if len(all) == 0 {
			delete(w.hub.watchers, w.id.Merchant)
		}
	})
}

// wake tells the terminals of a merchant that the authors' entries have changed cards.
func (h *hub) wake(merchant string, authors map[string]bool) {
	if len(authors) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[merchant] {
		if authors[w.id.Terminal] && len(authors) == 1 {
			token(w.echoed)
		} else {
			token(w.changed)
		}
	}
}

// grant tells a terminal that it has a lease, and reports whether it is there to be told.
func (h *hub) grant(id identity.ID) (there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[id.Merchant] {
		if w.id == id {
			token(w.leased)
			there = true
		}
	}
	return there
}

// recall tells a terminal that a lease is recalled.
func (h *hub) recall(id identity.ID, m *wire.LeaseRecall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[id.Merchant] {
		waits := func(o *wire.LeaseRecall) bool { return bytes.Equal(o.Id, m.Id) }
		if w.id != id || len(w.recalls) >= maxRecalls || slices.ContainsFunc(w.recalls, waits) {
			continue
		}
		w.recalls = append(w.recalls, m)
		token(w.recalled)
	}
}

// watched reports whether a terminal has a stream.
func (h *hub) watched(id identity.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[id.Merchant] {
		if w.id == id {
			return true
		}
	}
	return false
}

func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
