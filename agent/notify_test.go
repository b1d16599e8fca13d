package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// Under systemd the agent says that it is ready, that it is alive, and that it stops, in this order.
func TestSystemdIsTold(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	t.Setenv("WATCHDOG_USEC", "100000")
	cfg := defaultConfig()
	cfg.Terminal = TerminalConfig{ID: "t-1", Merchant: "m-1"}
	cfg.Local.Socket = filepath.Join(dir, "stampd.sock")
	cfg.Queue.Path, cfg.Queue.KeyFile = filepath.Join(dir, "queue.db"), filepath.Join(dir, "queue.key")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, nil, zerolog.Nop(), Version{Version: "test"}) }()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"} {
		if want == "STOPPING=1" {
			cancel()
		}
		for got := ""; got != want; {
			if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 256)
			n, err := socket.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if got = strings.TrimSpace(string(b[:n])); got != want && got != "WATCHDOG=1" {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
