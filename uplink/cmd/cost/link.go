package main

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// segmentSize is the largest payload of a TCP segment on the link: an Ethernet or cellular path, less headers.
	segmentSize = 1400
	// headerSize is the headers of IPv4 and TCP with timestamps (RFC 791, RFC 9293, RFC 7323), without those of the layer
	// below: 20 + 20 + 12 bytes.
	headerSize = 52
)

// link is the network between one terminal and the backend. It passes bytes on, counts them and the segments that the
// kernel made of them, acknowledgements included, and can be cut. It stands beside the terminal: what it counts is what
// the terminal's modem would be billed for.
type link struct {
	listener net.Listener
	target   string

	mu    sync.Mutex // guards all below
	cut   bool
	conns map[*crossing]struct{}
}

// crossing is one connection over the link.
type crossing struct {
	terminal *net.TCPConn
	up, down atomic.Uint64 // bytes from and to the terminal
}

// traffic is what went over a link.
type traffic struct {
	up, down float64 // bytes of TLS
	segments float64 // both ways
}

// tls returns the bytes without headers of TCP and IP, ip those with them.
func (t traffic) tls() float64 { return t.up + t.down }
func (t traffic) ip() float64  { return t.up + t.down + headerSize*t.segments }

func (t traffic) less(before traffic) traffic {
	return traffic{t.up - before.up, t.down - before.down, t.segments - before.segments}
}

func newLink(target string) (*link, error) {
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, segmentSize+12) })
	}}
	listener, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{listener: listener, target: target, conns: map[*crossing]struct{}{}}
	go l.serve()
	return l, nil
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.pass(&crossing{terminal: conn.(*net.TCPConn)})
	}
}

func (l *link) pass(c *crossing) {
	defer c.terminal.Close()
	if !l.enter(c) {
		return
	}
	defer l.leave(c)
	backend, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer backend.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(backend, counted{c.terminal, &c.up})
		_ = backend.Close()
	}()
	_, _ = io.Copy(c.terminal, counted{backend, &c.down})
	_ = c.terminal.Close()
	<-done
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Uint64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(uint64(n))
	return n, err
}

func (l *link) enter(c *crossing) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.conns[c] = struct{}{}
	}
	return !l.cut
}

func (l *link) leave(c *crossing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// traffic returns what went over the connections that are open.
func (l *link) traffic() traffic {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t traffic
	for c := range l.conns {
		t.up += float64(c.up.Load())
		t.down += float64(c.down.Load())
		t.segments += c.segments()
	}
	return t
}

// segments returns how many segments the kernel has sent and received (tcp_info, linux/tcp.h).
func (c *crossing) segments() (n float64) {
	raw, err := c.terminal.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = float64(info.Segs_in) + float64(info.Segs_out)
		}
	})
	return n
}

// setCut cuts the link and every connection on it, or mends it.
func (l *link) setCut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if !cut {
		return
	}
	for c := range l.conns {
		_ = c.terminal.Close()
	}
	clear(l.conns) // what went over them is counted no more
}

func (l *link) close() {
	_ = l.listener.Close()
	l.setCut(true)
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
