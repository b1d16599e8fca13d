package gateway

import (
	"net"
	"slices"
	"sync"
)

// settingsAck is the frame that acknowledges the other end's settings (RFC 9113, section 6.5).
const settingsAck = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"

// settingsConn sends the acknowledgement of the terminal's settings together with what comes next, which is the Welcome:
// that saves a TLS record and a TCP segment. No client waits for the one.
type settingsConn struct {
	net.Conn

	mu     sync.Mutex // guards everything below
	held   []byte
	writes int // that were sent
}

// Write sends b, or holds it back until the next call when it is the acknowledgement alone, after the settings.
func (c *settingsConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.writes == 1 && string(b) == settingsAck {
		c.held = slices.Clone(b)
		c.mu.Unlock()
		return len(b), nil
	}
	held := c.held
	c.held = nil
	c.writes++
	c.mu.Unlock()
	if held == nil {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(append(held, b...))
	return max(n-len(held), 0), err
}
