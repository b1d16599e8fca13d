package gateway

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// More peers than there are slots connect and say nothing, or half of what they should; the others are still served.
func TestStalledHandshakesHoldUpNobody(t *testing.T) {
	b := start(t)
	for i := range 4 * handshakes {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			// The head of a TLS record that promises more than ever comes.
			if _, err := conn.Write([]byte{22, 3, 1, 1, 0, 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var wg sync.WaitGroup
	for i := range 2 * handshakes {
		name := fmt.Sprint("t", i)
		m := b.connect("m1", name)
		wg.Go(func() {
			m.hello(greeting(name))
			if answer, err := m.stream.Recv(); answer.GetWelcome() == nil {
				t.Errorf("%s received %v, %v; want Welcome", name, answer, err)
			}
		})
	}
	wg.Wait()
}

// A connection that is no TLS gives its slot back.
func TestFailedHandshakesGiveTheirSlotBack(t *testing.T) {
	b := start(t)
	for range 3 * handshakes {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		for err == nil {
			_, err = conn.Read(buf)
		}
		conn.Close()
	}
	m := b.connect("m1", "t1")
	m.hello(greeting("t1"))
	m.welcome()
}

func TestTurnConn(t *testing.T) {
	slots := make(chan struct{}, 1)
	client, server := net.Pipe()
	defer client.Close()
	c := &turnConn{Conn: server, slots: slots}
	buf := make([]byte, 8)
	go func() { _, _ = client.Write([]byte("1")); _, _ = client.Write([]byte("2")) }()
	for range 2 {
		if _, err := c.Read(buf); err != nil || len(slots) != 1 {
			t.Fatalf("after a read: %v, %d slots taken, want 1", err, len(slots))
		}
	}
	go func() { _, _ = client.Read(buf[4:]); _, _ = client.Write([]byte("3")) }()
	if _, err := c.Write([]byte("a")); err != nil || len(slots) != 0 {
		t.Fatalf("after the answer: %v, %d slots taken, want 0", err, len(slots))
	}
	if _, err := c.Read(buf); err != nil || len(slots) != 0 {
		t.Errorf("in the second half: %v, %d slots taken, want 0", err, len(slots))
	}
	c.finish()
	if len(slots) != 0 {
		t.Errorf("after the end: %d slots taken, want 0", len(slots))
	}
}
