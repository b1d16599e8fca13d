package localapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

func TestSocketFile(t *testing.T) {
	a := startOtherAgent(t, func(o *Options) { o.Socket = filepath.Join(filepath.Dir(o.Socket), "run", "s.sock") }, func(*Server) {})
	info, err := os.Stat(a.Socket)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != os.ModeSocket|0o660 {
		t.Errorf("mode = %v, want a socket with 0660", got)
	}
	left, err := os.ReadDir(filepath.Dir(a.Socket))
	if err != nil || len(left) != 1 {
		t.Errorf("directory holds %v, %v, want the socket alone", left, err)
	}
	a.end()
	if _, err := os.Stat(a.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket after the end: %v, want none", err)
	}
}

func TestSecondAgent(t *testing.T) {
	a := startAgent(t)
	o := a.Options
	if _, err := Listen(o); !errors.Is(err, ErrRunning) {
		t.Errorf("second Listen = %v, want ErrRunning", err)
	}
	a.alive(t)
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	startOtherAgent(t, func(o *Options) { o.Socket = path }, func(*Server) {}).alive(t)
}

func TestSocketPathIsTaken(t *testing.T) {
	o := newOptions(t, t.TempDir())
	if err := os.WriteFile(o.Socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(o); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("Listen = %v, want it to say that the file is not a socket", err)
	}
	if got, err := os.ReadFile(o.Socket); err != nil || string(got) != "precious" {
		t.Errorf("file = %q, %v, want it left alone", got, err)
	}
}

// TestSuccessorsSocket stops an agent after another one has taken its path.
func TestSuccessorsSocket(t *testing.T) {
	a := startAgent(t)
	if err := os.Remove(a.Socket); err != nil {
		t.Fatal(err)
	}
	b := startOtherAgent(t, func(o *Options) { o.Socket = a.Socket }, func(*Server) {})
	a.end()
	b.alive(t)
}

// TestHalfOpenConnections opens more connections than one user may have and sends a bit of a request on each, or
// nothing; a caller that comes later is served at once.
func TestHalfOpenConnections(t *testing.T) {
	a := startAgent(t)
	beginnings := []string{
		"",
		"P",
		"POST /stampd.v1.LocalService/RecordPayment HTTP/1.1\r\nHost: x\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00", // TLS
	}
	for i := range maxConnections + 100 {
		c, err := net.Dial("unix", a.Socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// A connection that had to make room can't be written to any more.
		_, _ = io.WriteString(c, beginnings[i%len(beginnings)])
	}
	start := time.Now()
	a.alive(t)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("served after %v", took)
	}
}

// TestConnectionLimit counts connections by user, and lets the oldest idle one make room.
func TestConnectionLimit(t *testing.T) {
	l := &listener{access: access{pos: []uint32{1}}, open: map[uint32][]*conn{}}
	take := func(uid uint32) (*conn, *conn, bool) {
		c := &conn{caller: caller{uid: uid}, listener: l}
		idle, ok := l.take(c)
		return c, idle, ok
	}
	for uid, most := range map[uint32]int{1: maxConnections, 2: maxOfStrangers} {
		var all []*conn
		for range most {
			c, idle, ok := take(uid)
			if idle != nil || !ok {
				t.Fatalf("user %d has only %d connections", uid, len(all))
			}
			l.note(c, http.StateActive)
			all = append(all, c)
		}
		if _, idle, ok := take(uid); idle != nil || ok {
			t.Errorf("user %d may have more than %d busy connections", uid, most)
		}
		l.note(all[3], http.StateIdle)
		l.note(all[1], http.StateIdle)
		if _, idle, ok := take(uid); idle != all[1] || !ok {
			t.Errorf("user %d: the oldest idle connection does not make room", uid)
		}
		l.give(all[1]) // as its Close does, for the second time
		if got := len(l.open[uid]); got != most {
			t.Errorf("user %d has %d connections, want %d", uid, got, most)
		}
	}
}

func TestManyCallers(t *testing.T) {
	a := startAgent(t)
	const callers, each = 64, 20
	c := a.grpc(t)
	seqs := make(chan uint64, callers*each)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			client := a.http1(t)
			for j := range each {
				key := fmt.Sprintf("%d/%d", i, j)
				if i%2 == 0 {
					res, err := c.RecordPayment(t.Context(), paymentOf(key, 1250))
					if err != nil {
						t.Error(err)
						return
					}
					seqs <- res.GetSeq()
					continue
				}
				got := a.post(t, client, "RecordPayment", strings.Replace(goodPayment, "k-1", key, 1))
				var seq uint64
				if _, err := fmt.Sscanf(got.body, `{"seq":"%d"`, &seq); err != nil {
					t.Errorf("answer = %s", got.body)
					return
				}
				seqs <- seq
			}
		})
	}
	wg.Wait()
	close(seqs)
	seen := map[uint64]bool{}
	for seq := range seqs {
		if seen[seq] || seq < 1 || seq > callers*each {
			t.Errorf("seq %d is given twice or out of range", seq)
		}
		seen[seq] = true
	}
	if n := a.recorded(t); n != callers*each || len(seen) != n {
		t.Errorf("%d yeses, %d records, want %d", len(seen), n, callers*each)
	}
}

// TestSlowBody sends the head of a request and not its body.
func TestSlowBody(t *testing.T) {
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.patience = 100 * time.Millisecond })
	c, err := net.Dial("unix", a.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = io.WriteString(c, "POST /stampd.v1.LocalService/RecordPayment HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	a.alive(t)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), "SLOW_REQUEST") {
		t.Errorf("answer = %d %s", res.StatusCode, body)
	}
}

// TestFlushEndsAtShutdown stops the agent while a caller waits for a backend that there is none of.
func TestFlushEndsAtShutdown(t *testing.T) {
	a := startOtherAgent(t, func(o *Options) {
		o.Uplink = uplink.New(uplink.Options{Queue: o.Queue, Backend: "127.0.0.1:1", Clock: hal.NewClock("/proc"), Log: zerolog.Nop()})
	}, func(*Server) {})
	a.alive(t)
	c := a.grpc(t)
	answered := make(chan error, 1)
	go func() {
		res, err := c.Flush(t.Context(), &wire.FlushRequest{WaitMs: maxWaitMs})
		if err == nil && res.GetComplete() {
			err = errNotRefused
		}
		answered <- err
	}()
	for waiting := time.Now(); len(a.slots[roleAdmin]) == 0; time.Sleep(time.Millisecond) {
		if time.Since(waiting) > 10*time.Second {
			t.Fatal("the flush does not wait")
		}
	}
	start := time.Now()
	a.end()
	if err := <-answered; err != nil {
		t.Errorf("Flush: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopped after %v", took)
	}
}
