package main

import (
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What goes over a link arrives, and is counted to the byte; a cut link carries nothing.
func TestLink(t *testing.T) {
	backend, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer backend.Close()
	go func() {
		for {
			conn, err := backend.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	l, err := newLink(backend.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := dialLink(t, l)
	const sent = 100 * segmentSize
	go func() { _, _ = conn.Write(make([]byte, sent)) }()
	if _, err := io.ReadFull(conn, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	got := l.traffic()
	if got.up != sent || got.down != sent || got.tls() != 2*sent {
		t.Errorf("counted %v up and %v down, want %d each", got.up, got.down, sent)
	}
	if got.segments < 200 || got.segments > 500 {
		t.Errorf("counted %v segments for %d bytes both ways", got.segments, sent)
	}
	if got.ip() != 2*sent+got.segments*headerSize {
		t.Errorf("%v bytes with headers", got.ip())
	}
	if none := got.less(got); none != (traffic{}) {
		t.Errorf("less itself is %v", none)
	}

	l.setCut(true)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a cut link carries on")
	}
	if _, err := dialLink(t, l).Read(make([]byte, 1)); err == nil {
		t.Error("a cut link takes a connection")
	}
	l.setCut(false)
	conn = dialLink(t, l)
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("a mended link: %v", err)
	}
	if got := l.traffic(); got.up != 1 || got.down != 1 {
		t.Errorf("a new connection begins with %v", got)
	}
	l.close()
	if conn, err := net.DialTimeout("tcp4", l.address(), time.Second); err == nil {
		conn.Close()
		t.Error("a closed link takes a connection")
	}
}

func dialLink(t *testing.T, l *link) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp4", l.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}
