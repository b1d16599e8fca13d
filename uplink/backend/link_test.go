package backend

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// link is the network between a terminal and the backend: it can be cut, at any byte, and it may be slow.
type link struct {
	listener net.Listener
	target   string
	rate     int // bytes a second from the terminal; 0: any
	running  sync.WaitGroup

	mu    sync.Mutex // guards everything below
	cut   bool
	cuts  int
	conns map[net.Conn]struct{}
}

func newLink(t *testing.T, target string, rate int) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, target: target, rate: rate, conns: map[net.Conn]struct{}{}}
	l.running.Go(l.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		l.setCut(true)
		l.running.Wait()
	})
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.pass(conn) })
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
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(backend, slowly{terminal, l.rate})
		_ = backend.Close()
	})
	_, _ = io.Copy(terminal, backend)
	_ = terminal.Close()
	up.Wait()
}

// slowly reads so many bytes a second.
type slowly struct {
	io.Reader
	rate int
}

func (s slowly) Read(b []byte) (int, error) {
	if s.rate == 0 {
		return s.Reader.Read(b)
	}
	n, err := s.Reader.Read(b[:min(len(b), max(s.rate/100, 1))])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate))
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
	if !cut {
		return
	}
	l.cuts++
	for c := range l.conns {
		_ = c.Close()
	}
}
