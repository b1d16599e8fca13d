package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestNoAnswer asks something that takes the question and answers nothing, or not in time.
func TestNoAnswer(t *testing.T) {
	tests := map[string]struct {
		serve func(net.Conn)
		want  error
		code  int
	}{
		"goes away":     {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); c.Close() }, errNoAnswer, exitTimeout},
		"is no agent":   {func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n")); c.Close() }, errNoAnswer, exitTimeout},
		"never answers": {func(net.Conn) {}, context.DeadlineExceeded, exitTimeout},
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
			if !errors.Is(err, tt.want) || exitCode(err) != tt.code {
				t.Errorf("error = %v, exit code %d, want %v, %d", err, exitCode(err), tt.want, tt.code)
			}
		})
	}
}
