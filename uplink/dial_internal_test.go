package uplink

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TCP does not probe the backend by itself: with Go's default it would do so four times a minute.
func TestNoTCPProbes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := New(Options{}).connect(t.Context(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		probes, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if err != nil || probes != 0 {
			t.Errorf("SO_KEEPALIVE is %d (%v), want it off", probes, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
