// What a person sees of a flush that takes its time.

package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// progressAfter is how long a flush may take before something moves on the terminal.
	progressAfter = 2 * time.Second
	// progressWidth is how many characters of a line are written: one that wraps can't be written over.
	progressWidth = 79
)

// showFlush shows how the backlog goes down, on a terminal that can be drawn on, until the function that it returns is called.
func showFlush(ctx context.Context, cmd *cobra.Command, c *client) (stop func()) {
	w := cmd.ErrOrStderr()
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON || !cli.IsTerminal(w) || isDumb() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() {
		drawProgress(ctx, w, watch(ctx, c, callWatchStatus, &wire.WatchStatusRequest{EverySeconds: 1}))
	})
	return func() { cancel(); shown.Wait() }
}

// drawProgress writes each message over the one before, once the first two seconds are over, and leaves an empty line when
// ctx ends or the messages do.
func drawProgress(ctx context.Context, w io.Writer, messages iter.Seq2[*wire.WatchStatusResponse, error]) {
	select {
	case <-time.After(progressAfter):
	case <-ctx.Done():
		return
	}
	const startOver = "\r\x1b[K" // EL of ECMA-48
	for m, err := range messages {
		if err != nil || ctx.Err() != nil {
			break
		}
		fmt.Fprint(w, startOver+cut(progressLine(m), progressWidth))
	}
	fmt.Fprint(w, startOver)
}

// progressLine says what still waits, and for what.
func progressLine(m *wire.WatchStatusResponse) string {
	line := backlogWords(m) + "; uplink " + uplinkWord(m)
	if m.GetLastError() != "" {
		line += " (" + printable(m.GetLastError()) + ")"
	}
	return line
}

// cut shortens text to so many characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
