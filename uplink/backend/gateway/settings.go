package gateway

import (
	"net"

	"github.com/stampd/stampd/uplink/preface"
)

// settingsConn sends the acknowledgement of the terminal's settings together with what comes next, which is the Welcome.
type settingsConn struct {
	net.Conn
	out *preface.Writer
}

func newSettingsConn(conn net.Conn) *settingsConn {
	return &settingsConn{Conn: conn, out: preface.New(conn)}
}

// Write sends b, or holds it back for a moment at the beginning of the connection.
func (c *settingsConn) Write(b []byte) (int, error) { return c.out.Write(b) }
