package backend

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TCP does not probe terminals by itself: each probe and its answer is on a terminal's bill, four a minute with Go's default.
func TestNoTCPProbesOfTerminals(t *testing.T) {
	b, _ := start(t, newOptions(t))
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// proc_net_tcp.rst: "st" 01 is an established connection, and "tr" 02 a timer that is not for a retransmission.
	port := func(a net.Addr) string { return fmt.Sprintf("0100007F:%04X", a.(*net.TCPAddr).Port) }
	ends := port(conn.RemoteAddr()) + " " + port(conn.LocalAddr()) + " 01 "
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		table, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		_, row, found := strings.Cut(string(table), ends)
		if !found {
			continue // not accepted yet
		}
		if timer := strings.Fields(row)[1]; !strings.HasPrefix(timer, "00:") {
			time.Sleep(50 * time.Millisecond)
			if time.Since(begun) > time.Second {
				t.Fatalf("the backend's end of an idle connection has a timer: %s", timer)
			}
			continue
		}
		if time.Since(begun) > 200*time.Millisecond { // accepted, and set up
			return
		}
	}
	t.Fatal("the connection was not accepted")
}
