package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/cli"
)

// TestNoAnswer asks something that takes the question and answers nothing, or not in time.
func TestNoAnswer(t *testing.T) {
	tests := map[string]struct {
		serve func(net.Conn)
		want  error
		code  cli.Exit
	}{
		"goes away":     {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); c.Close() }, errNoAnswer, cli.ExitTimeout},
		"is no agent":   {func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n")); c.Close() }, errNoAnswer, cli.ExitTimeout},
		"never answers": {func(net.Conn) {}, context.DeadlineExceeded, cli.ExitTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					go tt.serve(c)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			root := newRootCommand()
			root.SetArgs([]string{"status", "--socket", socket})
			root.SetOut(new(bytes.Buffer))
			err = root.ExecuteContext(ctx)
			if !errors.Is(err, tt.want) || explain(err).Exit != tt.code {
				t.Errorf("error = %v, exit code %d, want %v, %d", err, explain(err).Exit, tt.want, tt.code)
			}
		})
	}
}

// TestDial connects to an agent that begins to listen after a while, to none, and to one that is not asked for long.
func TestDial(t *testing.T) {
	tests := map[string]struct {
		listenAfter time.Duration // 0: never
		stale       bool          // a dead agent's socket is in the way until then
		patience    time.Duration
		want        error
	}{
		"begins to listen":            {listenAfter: 200 * time.Millisecond, patience: time.Minute},
		"begins where one was before": {listenAfter: 200 * time.Millisecond, stale: true, patience: time.Minute},
		"never listens":               {patience: 200 * time.Millisecond, want: syscall.ENOENT},
		"died":                        {stale: true, patience: 200 * time.Millisecond, want: syscall.ECONNREFUSED},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			if tt.stale {
				l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
				if err != nil {
					t.Fatal(err)
				}
				l.SetUnlinkOnClose(false)
				l.Close()
			}
			listening := make(chan net.Listener, 1)
			if tt.listenAfter > 0 {
				time.AfterFunc(tt.listenAfter, func() {
					os.Remove(socket)
					l, err := net.Listen("unix", socket)
					if err != nil {
						t.Error(err)
					}
					listening <- l
				})
			}
			start := time.Now()
			conn, err := dial(t.Context(), socket, tt.patience)
			if !errors.Is(err, tt.want) {
				t.Fatalf("dial = %v, want %v", err, tt.want)
			}
			if least := min(tt.patience, cmp.Or(tt.listenAfter, tt.patience)); time.Since(start) < least {
				t.Errorf("ended after %v, before %v", time.Since(start), least)
			}
			if err == nil {
				conn.Close()
				(<-listening).Close()
			}
		})
	}
}

// TestDialEndsWithItsContext waits no longer than the caller does.
func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := dial(ctx, filepath.Join(t.TempDir(), "s"), time.Hour); err == nil {
		t.Error("connected to nobody")
	}
}
