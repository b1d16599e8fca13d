package main

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stampd/stampd/uplink/wire"
)

// beats are messages that come once a second, until ctx ends, with fewer records each time.
func beats(ctx context.Context) iter.Seq2[*wire.WatchStatusResponse, error] {
	return func(yield func(*wire.WatchStatusResponse, error) bool) {
		for n := uint64(100); ; n-- {
			m := &wire.WatchStatusResponse{
				Uplink: wire.UplinkState_UPLINK_STATE_WAITING, NextAttemptInMs: new(int64(9000)), LastError: "no\nanswer" + strings.Repeat(" from there", 10),
				Ledger: &wire.Backlog{Records: n}, Telemetry: new(wire.Backlog),
			}
			if !yield(m, nil) {
				return
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

func TestDrawProgress(t *testing.T) {
	const startOver = "\r\x1b[K"
	tests := map[string]struct {
		takes time.Duration
		lines int // that were written over each other
	}{
		"quick":                 {1900 * time.Millisecond, 0},
		"takes its time":        {2500 * time.Millisecond, 1},
		"takes even more of it": {6500 * time.Millisecond, 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.takes)
				defer cancel()
				var out bytes.Buffer
				drawProgress(ctx, &out, beats(ctx))
				if tt.lines == 0 {
					if out.Len() > 0 {
						t.Errorf("wrote %q", &out)
					}
					return
				}
				all := strings.Split(out.String(), startOver)
				if len(all) != tt.lines+2 || all[0] != "" || all[len(all)-1] != "" {
					t.Fatalf("wrote %q", &out)
				}
				for _, line := range all[1 : len(all)-1] {
					if utf8.RuneCountInString(line) > progressWidth || strings.ContainsAny(line, "\n\r") || !strings.HasPrefix(line, "ledger ") ||
						!strings.Contains(line, "uplink waiting, next attempt in 9 s (no answer from t") || !strings.HasSuffix(line, "…") {
						t.Errorf("line %q", line)
					}
				}
			})
		})
	}
}

// When the agent has nothing to tell, the line is left empty.
func TestDrawProgressEndsWithTheMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		drawProgress(t.Context(), &out, func(yield func(*wire.WatchStatusResponse, error) bool) { yield(nil, errors.New("gone")) })
		if got := out.String(); got != "\r\x1b[K" {
			t.Errorf("wrote %q", got)
		}
	})
}
