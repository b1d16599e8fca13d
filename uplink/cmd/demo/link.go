package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// link is the network between terminal and backend: it passes bytes on, counts them, and can be cut.
type link struct {
	listener net.Listener
	target   string
	up, down atomic.Uint64 // bytes from and to the terminal, TLS included

	mu    sync.Mutex // guards everything below
	cut   bool
	cuts  int
	conns map[net.Conn]struct{}
}

func newLink(target string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	go k.serve()
	return k, nil
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.pass(conn)
	}
}

func (l *link) pass(terminal net.Conn) {
	if !l.take(terminal) {
		return
	}
	defer l.drop(terminal)
	backend, err := net.Dial("tcp", l.target)
	if err != nil || !l.take(backend) {
		return
	}
	defer l.drop(backend)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(backend, counted{terminal, &l.up})
		_ = backend.Close()
	}()
	_, _ = io.Copy(terminal, counted{backend, &l.down})
	_ = terminal.Close()
	<-done
}

type counted struct {
	io.Reader
	n *atomic.Uint64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(uint64(n))
	return n, err
}

// take notes a connection, or closes it when the link is cut.
func (l *link) take(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		_ = c.Close()
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close()
}

// setCut cuts the link, and every connection on it, or mends it.
func (l *link) setCut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		l.cuts++
		for c := range l.conns {
			_ = c.Close()
		}
	}
}

func (l *link) close() {
	_ = l.listener.Close()
	l.setCut(true)
}
