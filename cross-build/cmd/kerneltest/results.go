package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

// module is the path of this module.
const module = "github.com/stampd/stampd"

// marker begins the lines of a test program that test2json is to understand, when it was started with -test.v=test2json.
const marker = '\x16'

// results turns what the guest reports into what "go test -json" prints.
type results struct {
	ctx context.Context
	out io.Writer

	converters map[string]*converter // by the name of the command
	failed     bool
}

// converter is a running "go tool test2json".
type converter struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	read sync.WaitGroup
	bad  bool // a test failed or skipped; may be read when the converter has ended
}

func newResults(ctx context.Context, out io.Writer) *results {
	return &results{ctx: ctx, out: out, converters: make(map[string]*converter)}
}

// take takes in a report.
func (r *results) take(report guest.Report) error {
	switch report.Event {
	case guest.Failed:
		return errors.New(report.Text)
	case guest.Output:
		c, err := r.converter(report.Command)
		if err != nil {
			return err
		}
		_, err = c.in.Write(report.Data)
		return err
	case guest.Exited:
		c, err := r.converter(report.Command)
		if err != nil {
			return err
		}
		if report.Code != 0 {
			fmt.Fprintf(c.in, "%s\n%cFAIL\n", report.Text, marker) // so that it has failed if it crashed
		}
		return r.end(report.Command)
	}
	return nil
}

// converter returns what converts the output of a command.
func (r *results) converter(command string) (*converter, error) {
	if c := r.converters[command]; c != nil {
		return c, nil
	}
	c := &converter{cmd: exec.CommandContext(r.ctx, "go", "tool", "test2json", "-t", "-p", module+"/"+command)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.read.Go(func() { c.bad = copyEvents(r.out, out) })
	r.converters[command] = c
	return c, nil
}

// end ends the conversion of a command's output.
func (r *results) end(command string) error {
	c := r.converters[command]
	delete(r.converters, command)
	err := c.in.Close()
	c.read.Wait()
	r.failed = r.failed || c.bad
	return errors.Join(err, c.cmd.Wait())
}

// close ends all conversions, and reports whether every test passed.
func (r *results) close() (passed bool, err error) {
	for command := range r.converters { // it was cut off
		r.failed = true
		err = errors.Join(err, r.end(command))
	}
	return !r.failed, err
}

// copyEvents copies events of tests, and reports whether any failed. One that skipped has failed.
func copyEvents(w io.Writer, r io.Reader) (bad bool) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var event struct{ Action, Test string }
		if json.Unmarshal([]byte(line), &event) == nil {
			if event.Action == "skip" && event.Test != "" {
				line = strings.Replace(line, `"Action":"skip"`, `"Action":"fail"`, 1)
				event.Action = "fail"
			}
			bad = bad || event.Action == "fail"
		}
		fmt.Fprint(w, line)
		if err != nil {
			return bad
		}
	}
}
