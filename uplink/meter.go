package uplink

import (
	"net"
	"sync/atomic"
)

// meter counts the bytes of every connection, TLS included, TCP and IP not.
type meter struct {
	sent, received atomic.Uint64
}

type meteredConn struct {
	net.Conn
	meter *meter
}

func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.received.Add(uint64(n))
	return n, err
}

func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.sent.Add(uint64(n))
	return n, err
}
