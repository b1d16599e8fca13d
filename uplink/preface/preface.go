// Package preface saves bytes at the beginning of an HTTP/2 connection: what gRPC writes there in pieces goes out together.
//
// Both ends of the uplink use it. It holds nothing back that the other end waits for, and after the first writes it passes
// everything through.
package preface

import (
	"io"
	"slices"
	"sync"

	"golang.org/x/net/http2"
)

// settingsAck is the frame that acknowledges the other end's settings (RFC 9113, section 6.5).
const settingsAck = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"

// Writer sends a client's preface together with its settings, and the acknowledgement of the other end's settings together
// with what comes next, each of which gRPC writes at once afterwards: a TLS record and a TCP segment less for each. It is
// safe for concurrent use if what it writes to is.
type Writer struct {
	to io.Writer

	mu     sync.Mutex // guards everything below
	held   []byte     // goes with the next write
	writes int        // that were sent
}

// New returns a writer at the beginning of a connection.
func New(to io.Writer) *Writer { return &Writer{to: to} }

// Write sends b, or holds it back until the next call when it is the preface, or the first acknowledgement of settings.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.writes == 0 && string(b) == http2.ClientPreface || w.writes == 1 && string(b) == settingsAck {
		w.held = slices.Clone(b)
		w.mu.Unlock()
		return len(b), nil
	}
	held := w.held
	w.held = nil
	w.writes++
	w.mu.Unlock()
	if held == nil {
		return w.to.Write(b)
	}
	n, err := w.to.Write(append(held, b...))
	return max(n-len(held), 0), err
}
