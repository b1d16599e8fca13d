// Command cost measures what stampd costs a terminal: flash, bytes on the wire, memory, processor time and waiting. It
// prints every figure beside its floor and its budget.
//
// It runs real agents against a real backend, over TLS and a link that counts, with the queue on a disk of its own where
// that can be had. `make bench` builds the programs and runs it; DESIGN.md has the budgets. A budget of bytes or of a
// count is judged; a time is printed, because another machine has another.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	only := flag.String("only", "", "measure only what has a name that matches this regular expression")
	asJSON := flag.Bool("json", false, "print the table as JSON")
	flag.StringVar(&o.bin, "bin", "bin/release", "directory of stampd and stampd-backend, stripped")
	flag.StringVar(&o.arm, "arm", "bin/linux-armv7", "directory of the same for armv7")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "directory to work in, on the disk to be measured")
	flag.IntVar(&o.events, "events", 200_000, "how many payments, and how many readings, to queue and drain")
	flag.DurationVar(&o.watch, "idle", time.Minute, "how long to watch an idle agent")
	flag.Parse()
	o.events = max(o.events-o.events%(perBlock*perRound), perBlock*perRound)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, *only, *asJSON); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\nhint: 'make bench' builds the programs first; -h lists the flags\n", err)
		os.Exit(1)
	}
}

// options is what the flags say.
type options struct {
	bin, arm, dir string
	events        int
	watch         time.Duration
}

// run measures, and prints one table at the end.
func run(ctx context.Context, o options, only string, asJSON bool) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("cannot use -only: %w", err)
	}
	chosen := slices.DeleteFunc(measures(), func(m measure) bool { return !wanted.MatchString(m.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("nothing to measure is named so: there are %s", names())
	}
	l, err := newLab(ctx, o)
	if err != nil {
		return err
	}
	defer l.close()
	var sections []section
	for _, m := range chosen {
		fmt.Fprintf(os.Stderr, "measuring %s\n", m.name)
		figures, how, err := m.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", m.name, err)
		}
		sections = append(sections, section{Name: m.name, What: m.what, How: how, Figures: figures})
	}
	if asJSON {
		return printJSON(os.Stdout, sections)
	}
	return printTable(os.Stdout, sections)
}

// measure is one thing to measure, and all figures that it yields.
type measure struct {
	name, what string
	measure    func(context.Context, *lab) (figures []figure, how string, err error)
}

// names lists what there is to measure.
func names() string {
	var all []string
	for _, m := range measures() {
		all = append(all, m.name)
	}
	return strings.Join(all, ", ")
}

// measures returns everything there is, the quick ones first.
func measures() []measure {
	return []measure{
		{"size", "the stripped program", measureSize},
		{"start", "from start to answering", measureStart},
		{"append", "durable ledger appends", measureAppend},
		{"flash", "flash for payments", measureFlash},
		{"spill", "flash for readings", measureSpill},
		{"lone", "a lone payment on the wire", measureLone},
		{"reconnect", "a reconnect on the wire", measureReconnect},
		{"readings", "readings of 27 values, 100 a block", measureReadings},
		{"payments", "payments after an outage", measurePayments},
		{"idle", "an idle terminal", measureIdle},
	}
}
