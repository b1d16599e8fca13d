// Command demo runs a terminal and a backend through an outage, kills both without warning, and then counts what
// landed: every payment and every stamp that was answered with yes must be in Parquet, exactly once.
//
// It works on real processes, a real socket, real certificates and a real network connection, all in a directory of its
// own. `make demo` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// errLoss says that the promise was broken.
var errLoss = errors.New("something is missing, or there twice")

func main() {
	var d demo
	flag.StringVar(&d.dir, "dir", "demo", "directory to work in; what an earlier run left there is removed")
	flag.StringVar(&d.bin, "bin", "bin", "directory of stampd and stampd-backend")
	flag.IntVar(&d.payments, "payments", 500, "payments to record")
	flag.IntVar(&d.stamps, "stamps", 500, "stamps to give")
	flag.DurationVar(&d.outage, "outage", 4*time.Second, "how long the network is cut")
	flag.IntVar(&d.callers, "callers", 8, "POS apps that ring up at once")
	flag.DurationVar(&d.chaos, "chaos", 0, "instead of the story, kill and cut at random for this long")
	flag.BoolVar(&d.keep, "keep", false, "leave agent and backend running, and say what to try")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := d.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\nhint: the logs are in %s\n", err, d.dir)
		os.Exit(1)
	}
}

// demo is one run.
type demo struct {
	dir, bin         string
	payments, stamps int
	callers          int
	outage           time.Duration
	chaos            time.Duration
	keep             bool

	start    time.Time
	line     *line
	link     *link
	agent    *process
	backend  *process
	terminal *terminal
}

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 80*time.Second+2*d.chaos)
	defer cancel()
	d.start, d.line = time.Now(), newLine(os.Stdout)
	if err := d.setUp(ctx); err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			d.tearDown()
		}
	}()
	d.line.say("certificates made, backend and agent started")
	play := d.story
	if d.chaos > 0 {
		play = d.ruin
	}
	if err := play(ctx); err != nil {
		return err
	}
	d.line.say("every call was answered; waiting for the queue to drain")
	if err := d.terminal.drained(ctx); err != nil {
		return fmt.Errorf("the queue did not drain: %w", err)
	}
	d.line.say("the queue is empty; reading the Parquet files back")
	landed, err := d.landed(ctx)
	if err != nil {
		return err
	}
	d.line.end()
	lost := d.report(os.Stdout, landed)
	if d.keep {
		if err := d.settle(ctx); err != nil {
			return err
		}
		kept = true
		d.invite(os.Stdout)
	}
	if lost {
		return errLoss
	}
	return nil
}

// parquet is where the backend lands.
func (d *demo) parquet() string { return filepath.Join(d.dir, "backend", "parquet") }
