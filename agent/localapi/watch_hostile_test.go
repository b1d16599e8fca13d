package localapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/wire"
	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

func TestWatchByStranger(t *testing.T) {
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.access = access{} })
	checkRefusal(t, a.watch(t, a.http1(t), "json", []byte("{}")).end(t), "permission_denied", "NOT_ALLOWED")
	s, err := a.grpc(t).WatchStatus(t.Context(), &wire.WatchStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.PermissionDenied || len(status.Convert(err).Details()) != 1 {
		t.Errorf("over gRPC: %v, want a refusal with its detail", err)
	}
}

// TestWatchFlood opens a hundred streams at a time. What has ended makes room.
func TestWatchFlood(t *testing.T) {
	a := startAgent(t)
	const flood = 100
	first := make(chan byte, flood)
	held, done := make(chan struct{}), sync.WaitGroup{}
	for range flood {
		client := a.http1(t)
		done.Go(func() {
			w := a.watch(t, client, "json", []byte("{}"))
			flags, contents := w.read(t)
			if flags != 0 && !strings.Contains(string(contents), "TOO_MANY_STREAMS") {
				t.Errorf("end of a stream: %s", contents)
			}
			first <- flags
			<-held
			_ = w.body.Close()
		})
	}
	served := 0
	for range flood {
		if <-first == 0 {
			served++
		}
	}
	if served != maxStreamsOfUser {
		t.Errorf("%d streams are served, want %d", served, maxStreamsOfUser)
	}
	for _, slots := range a.slots {
		if len(slots) != 0 {
			t.Errorf("streams take %d places of calls", len(slots))
		}
	}
	a.alive(t)
	close(held)
	done.Wait()
	a.awaitStreams(t, 0)
	a.watch(t, a.http1(t), "json", []byte("{}")).next(t)
}

// awaitStreams waits until this user has so many streams.
func (a *agent) awaitStreams(t *testing.T, want int) {
	t.Helper()
	open := func() (n int) {
		a.streams.mu.Lock()
		defer a.streams.mu.Unlock()
		for _, mine := range a.streams.open {
			n += mine
		}
		return n
	}
	for start := time.Now(); open() != want; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("%d streams, want %d", open(), want)
		}
	}
}

// floodStreams makes WatchStatus send as much as the caller takes.
func floodStreams(s *Server) {
	s.patience, s.http.HTTP2.WriteByteTimeout = 200*time.Millisecond, 200*time.Millisecond
	big := &wire.WatchStatusResponse{LastError: strings.Repeat("x", 32<<10)}
	addStream(s, s.routes, wireconnect.LocalServiceWatchStatusProcedure, rolePOS,
		func(_ context.Context, _ *wire.WatchStatusRequest, send func(*wire.WatchStatusResponse) error) error {
			for {
				if err := send(big); err != nil {
					return err
				}
			}
		})
}

// TestWatchWithoutReading asks for more than fits between the two, and takes none of it.
func TestWatchWithoutReading(t *testing.T) {
	tests := map[string]func(t *testing.T, a *agent) net.Conn{
		"HTTP/1.1": func(t *testing.T, a *agent) net.Conn {
			return a.send(t, []byte("POST "+wireconnect.LocalServiceWatchStatusProcedure+
				" HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n\x00\x00\x00\x00\x02{}"))
		},
		"HTTP/2, no window":   func(t *testing.T, a *agent) net.Conn { return a.send(t, watchFrames(t, 0)) },
		"HTTP/2, vast window": func(t *testing.T, a *agent) net.Conn { return a.send(t, watchFrames(t, 1<<30)) },
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			a := startOtherAgent(t, func(*Options) {}, floodStreams)
			defer begin(t, a).Close()
			a.awaitStreams(t, 1)
			a.alive(t)
			a.awaitStreams(t, 0)
		})
	}
}

// TestStopWithoutReader stops an agent in the middle of a message that nobody takes.
func TestStopWithoutReader(t *testing.T) {
	for name, window := range map[string]uint32{"no window": 0, "vast window": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			a := startOtherAgent(t, func(*Options) {}, func(s *Server) {
				floodStreams(s)
				s.patience, s.http.HTTP2.WriteByteTimeout = time.Minute, time.Minute
			})
			defer a.send(t, watchFrames(t, window)).Close()
			a.awaitStreams(t, 1)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as run.go has it
			defer cancel()
			start := time.Now()
			_ = a.Shutdown(ctx)
			if took := time.Since(start); took > 1500*time.Millisecond {
				t.Errorf("stopped after %v", took)
			}
			a.awaitStreams(t, 0)
		})
	}
}

// TestWatchHalfSent begins streams and never ends their requests.
func TestWatchHalfSent(t *testing.T) {
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.patience = 200 * time.Millisecond })
	head := "POST " + wireconnect.LocalServiceWatchStatusProcedure + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+json\r\nContent-Length: 100\r\n\r\n"
	for _, sent := range []string{head, head + "\x00\x00", head + "\x00\x00\x00\x00\x5f{", head[:40]} {
		for range 2 * maxStreamsOfUser {
			defer a.send(t, []byte(sent)).Close()
		}
	}
	a.watch(t, a.http1(t), "json", []byte("{}")).next(t)
	a.alive(t)
}

// TestWatchEnvelopes sends what is no message in its envelope.
func TestWatchEnvelopes(t *testing.T) {
	a := startAgent(t)
	tests := map[string]string{
		"nothing":          "",
		"no envelope":      "{}",
		"half an envelope": "\x00\x00\x00",
		"too short":        "\x00\x00\x00\x00\x01{}",
		"too long":         "\x00\x00\x00\x00\x03{}",
		"far too long":     "\x00\xff\xff\xff\xff{}",
		"compressed":       "\x01\x00\x00\x00\x02{}",
		"end of stream":    "\x02\x00\x00\x00\x02{}",
		"two messages":     "\x00\x00\x00\x00\x02{}\x00\x00\x00\x00\x02{}",
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stampd"+wireconnect.LocalServiceWatchStatusProcedure, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/connect+json")
			res, err := a.http1(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			checkRefusal(t, (&watcher{"json", res.Body}).end(t), "invalid_argument", "MALFORMED")
		})
	}
}

// send opens a connection and sends bytes on it.
func (a *agent) send(t *testing.T, b []byte) net.Conn {
	t.Helper()
	c, err := a.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return c
}

// watchFrames is what a gRPC client sends that calls WatchStatus and has a window of so many bytes.
func watchFrames(t *testing.T, window uint32) []byte {
	t.Helper()
	var out, head bytes.Buffer
	f, h := http2.NewFramer(&out, nil), hpack.NewEncoder(&head)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", wireconnect.LocalServiceWatchStatusProcedure}, {":authority", "x"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := h.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		func() error { _, err := io.WriteString(&out, http2.ClientPreface); return err }(),
		f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		f.WriteWindowUpdate(0, 1<<30),
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true}),
		f.WriteData(1, true, inEnvelope(nil)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
