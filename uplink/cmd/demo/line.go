package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/stampd/stampd/uplink/cli"
)

// line shows how far the demo is: on a terminal one line that changes under what was said, else only what was said.
type line struct {
	w     io.Writer
	live  bool
	start time.Time

	mu   sync.Mutex // guards text
	text string
}

func newLine(f *os.File) *line {
	return &line{w: f, live: cli.IsTerminal(f), start: time.Now()}
}

// say prints a line that stays.
func (l *line) say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
	fmt.Fprintf(l.w, "%5.1fs  %s\n", time.Since(l.start).Seconds(), text)
	if l.live {
		fmt.Fprint(l.w, l.text)
	}
}

// progress shows how many calls were answered.
func (l *line) progress(answered, total int) {
	l.show(fmt.Sprintf("answered %d of %d", answered, total))
}

// show changes the changing line.
func (l *line) show(text string) {
	if !l.live {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = "        " + text
	fmt.Fprint(l.w, "\r\x1b[K", l.text)
}

// end clears the changing line.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
	l.text = ""
}
