package uplink

import (
	"net"
	"sync"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// sampleEvery is how often the kernel is asked, at most, what TCP did for a connection in use.
const sampleEvery = time.Minute

// meter counts the bytes of every connection by purpose, and keeps them by day. It is safe for concurrent use.
type meter struct {
	now func() instant

	mu          sync.Mutex // guards everything below, and what is said so in meteredConn
	total       traffic    // since it was made
	retransmits uint64
	connected   bool // there was a connection
	calendar    calendar
	current     *meteredConn // the last connection, until it is closed
}

// counted wraps a connection, whose bytes are counted from here on.
func (m *meter) counted(conn net.Conn) *meteredConn {
	c := &meteredConn{Conn: conn, meter: m}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current, m.connected = c, true
	return c
}

// book counts t, today.
func (m *meter) book(t traffic) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bookLocked(t)
}

// bookLocked is book for those who hold the lock.
func (m *meter) bookLocked(t traffic) {
	m.total.add(t)
	m.calendar.today(m.now()).traffic.add(t)
}

// meteredConn is a connection whose bytes are counted: TLS included, TCP and IP as the kernel tells.
type meteredConn struct {
	net.Conn
	meter *meter

	// The meter's lock guards these.
	expected [purposes]int // of what is being written, how much is for what
	last     tcpState
	sampled  time.Time
}

// Read counts what was received.
func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.sampleNowAndThen()
	c.meter.book(traffic{received: uint64(n)})
	return n, err
}

// Write counts what was sent: first for what it was expected to be, and what is more as overhead.
func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sampleNowAndThen()
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	var t traffic
	left := n
	for p := range c.expected {
		part := min(left, c.expected[p])
		c.expected[p] -= part
		t.sent[p] = uint64(part)
		left -= part
	}
	t.sent[forOverhead] += uint64(left)
	c.meter.bookLocked(t)
	return n, err
}

// Close takes the last sample and closes the connection.
func (c *meteredConn) Close() error {
	c.sample()
	c.meter.mu.Lock()
	if c.meter.current == c {
		c.meter.current = nil
	}
	c.meter.mu.Unlock()
	return c.Conn.Close()
}

// expect says how much of what is about to be written is for what.
func (c *meteredConn) expect(n [purposes]int) {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.expected = n
}

// sampleNowAndThen takes a sample when the last one is a while ago, so that each day gets what is its own.
func (c *meteredConn) sampleNowAndThen() {
	c.meter.mu.Lock()
	due := time.Since(c.sampled) >= sampleEvery
	c.meter.mu.Unlock()
	if due {
		c.sample()
	}
}

// sample counts what TCP did since the last sample. It returns how the connection is, if the kernel tells.
func (c *meteredConn) sample() (state tcpState, known bool) {
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	state, known = readTCP(c.Conn)
	if !known {
		return state, false
	}
	c.sampled = time.Now()
	c.meter.retransmits += uint64(state.retransmits - c.last.retransmits)
	if state.segmentsOut > 0 {
		c.meter.bookLocked(traffic{
			sentTCP:     uint64(state.segmentsOut-c.last.segmentsOut)*state.header + state.resent - c.last.resent,
			receivedTCP: uint64(state.segmentsIn-c.last.segmentsIn) * state.header,
			tcpKnown:    true,
		})
	}
	c.last = state
	return state, true
}

// tell puts what was counted into a status.
func (m *meter) tell(s *wire.UplinkStatus) {
	m.mu.Lock()
	current := m.current
	m.mu.Unlock()
	if current != nil {
		if state, known := current.sample(); known && state.roundTrip > 0 {
			s.RoundTripUs = new(uint32(state.roundTrip.Microseconds()))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.connected {
		s.Retransmits = new(m.retransmits)
	}
	s.SentBytes, s.ReceivedBytes = m.total.sentBytes(), m.total.received
	s.Traffic = m.total.message()
	s.Days = m.calendar.messages(m.now())
}
