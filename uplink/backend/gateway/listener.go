package gateway

import (
	"net"
	"sync"
)

// Listener is a listener that knows its connections. gRPC's own stop waits for every peer that is still shaking hands,
// and a silent one would hold it up for as long as a handshake may take.
type Listener struct {
	net.Listener

	mu    sync.Mutex // guards conns
	conns map[*knownConn]struct{}
}

// NewListener returns a listener that accepts from l.
func NewListener(l net.Listener) *Listener {
	return &Listener{Listener: l, conns: map[*knownConn]struct{}{}}
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	known := &knownConn{Conn: conn, listener: l}
	l.mu.Lock()
	l.conns[known] = struct{}{}
	l.mu.Unlock()
	return known, nil
}

// CloseConns closes every connection that is open.
func (l *Listener) CloseConns() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		_ = conn.Conn.Close()
	}
}

type knownConn struct {
	net.Conn
	listener *Listener
}

// Close closes the connection and forgets it.
func (c *knownConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
