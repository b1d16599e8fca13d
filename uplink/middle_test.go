package uplink_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// middle is a man in the middle: it relays TCP between a terminal and a gateway, and does one mischief to each connection.
type middle struct {
	to string

	mu     sync.Mutex // guards everything below
	rng    *rand.Rand
	honest bool // from now on it only relays
	open   map[net.Conn]bool
	parked net.Conn // waits for a later one to pass it
	done   map[string]int
	wg     sync.WaitGroup
}

// mischief is what happens to one connection. after is how many bytes of one direction pass before it does.
type mischief struct {
	kind  string
	after int
	up    bool
}

var mischiefs = []string{"none", "cut", "reset", "freeze", "drip", "delay", "swallow", "garble", "replay", "duplicate", "reorder"}

// offsets are the places where a connection is worth breaking: in the first bytes, in each flight of the handshake, in the
// preface, Hello and Welcome, in the first batches, and anywhere.
var offsets = []int{0, 1, 5, 100, 252, 253, 300, 600, 850, 900, 950, 1100, 1300, 2000, 5000, 20_000}

func (m *middle) choose() mischief {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.honest {
		return mischief{kind: "none"}
	}
	after := offsets[m.rng.IntN(len(offsets))] + m.rng.IntN(64)
	what := mischief{kind: mischiefs[m.rng.IntN(len(mischiefs))], after: after, up: m.rng.IntN(2) == 0}
	if m.done == nil {
		m.done = map[string]int{}
	}
	m.done[what.kind]++
	return what
}

// relay serves one connection of the terminal's.
func (m *middle) relay(client net.Conn) {
	m.mu.Lock()
	m.open[client] = true
	m.mu.Unlock()
	what := m.choose()
	if what.kind == "reorder" { // this one gets through when a later one has come
		if client = m.swap(client); client == nil {
			return
		}
	}
	defer func() {
		_ = client.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.open, client)
	}()
	server, err := net.Dial("tcp", m.to)
	if err != nil {
		return
	}
	defer server.Close()
	from := client
	if what.kind == "duplicate" { // the backend sees the same first bytes on a second connection
		if second, err := net.Dial("tcp", m.to); err == nil {
			defer second.Close()
			from = &teed{Conn: client, to: second}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { m.pump(server, from, what, what.up); _ = server.Close(); _ = client.Close() })
	wg.Go(func() { m.pump(client, server, what, !what.up); _ = server.Close(); _ = client.Close() })
	wg.Wait()
}

// swap parks a connection and returns the one that was parked before, or nil.
func (m *middle) swap(c net.Conn) net.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, m.parked = m.parked, c
	return c
}

// teed sends what it reads to a second connection too.
type teed struct {
	net.Conn
	to net.Conn
}

func (t *teed) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	_, _ = t.to.Write(b[:n])
	return n, err
}

// pump copies one direction, with the mischief if it is the direction that it is for.
func (m *middle) pump(to, from net.Conn, what mischief, here bool) {
	if !here || what.kind == "none" {
		_, _ = io.Copy(to, from)
		return
	}
	if _, err := io.CopyN(to, from, int64(what.after)); err != nil {
		return
	}
	switch what.kind {
	case "cut":
		return
	case "reset":
		for _, c := range []net.Conn{to, from} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
		return
	case "freeze": // half open: the bytes are taken, and go nowhere
		_, _ = io.Copy(io.Discard, from)
		return
	case "drip": // one byte a time, for a while
		for range 200 {
			if _, err := io.CopyN(to, from, 1); err != nil {
				return
			}
		}
	case "delay":
		time.Sleep(20 * time.Millisecond)
	case "swallow":
		_, _ = io.CopyN(io.Discard, from, 7)
	case "garble":
		b := make([]byte, 1)
		if _, err := io.ReadFull(from, b); err != nil {
			return
		}
		_, _ = to.Write([]byte{b[0] ^ 0x20})
	case "replay":
		b := make([]byte, 200)
		n, _ := from.Read(b)
		_, _ = to.Write(b[:n])
		_, _ = to.Write(b[:n])
	}
	_, _ = io.Copy(to, from)
}

// serve relays every connection until the test ends.
func (m *middle) serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		m.cutAll()
		m.wg.Wait()
	})
	m.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.wg.Go(func() { m.relay(conn) })
		}
	})
	return l.Addr().String()
}

// cutAll cuts every connection that is open, so that the next mischief has one.
func (m *middle) cutAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.open {
		_ = c.Close()
	}
}
