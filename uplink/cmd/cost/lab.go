package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// lab is a backend, and the place where agents are made. Everything is below one folder, which close removes.
type lab struct {
	options
	ctx     context.Context
	dir     string
	ca      string
	backend *process
	address string // of the backend
	agents  int

	defaults defaults
}

func newLab(ctx context.Context, o options) (*lab, error) {
	var err error
	for _, path := range []*string{&o.bin, &o.arm, &o.dir} {
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
	}
	l := &lab{options: o, ctx: ctx}
	if l.dir, err = os.MkdirTemp(o.dir, "cost"); err != nil {
		return nil, err
	}
	l.ca = filepath.Join(l.dir, "ca")
	for _, args := range [][]string{
		{"ca", "init", l.ca},
		{"ca", "issue", l.ca, "--server", "localhost", "--out", l.dir},
		{"ca", "issue", l.ca, "--terminal", "bare", "--merchant", "m-1", "--out", filepath.Join(l.dir, "bare")}, // for the floors
	} {
		if err := l.tool(args...); err != nil {
			l.close()
			return nil, err
		}
	}
	if l.defaults, err = l.askDefaults(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	if l.backend != nil {
		l.backend.stop()
	}
	os.RemoveAll(l.dir)
}

// tool runs a command of the backend's program.
func (l *lab) tool(args ...string) error {
	out, err := exec.CommandContext(l.ctx, filepath.Join(l.bin, "stampd-backend"), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot run stampd-backend %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// serve starts the backend, unless it runs.
func (l *lab) serve() error {
	if l.backend != nil {
		return nil
	}
	var err error
	if l.address, err = freeAddress(); err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(l.dir, name) }
	l.backend, err = startProcess(file("backend.log"), filepath.Join(l.bin, "stampd-backend"), "serve",
		"--listen", l.address, "--dir", file("backend"), "--roll-every", "1h", "--log-format", "json",
		"--cert", file("server.pem"), "--key", file("server.key"), "--ca", file("ca.pem"))
	return err
}

// until asks every few milliseconds until so is true, and fails when that takes longer than patience.
func until(ctx context.Context, patience time.Duration, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := so()
		if ok {
			return nil
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not in time: %s", what), err)
		}
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
