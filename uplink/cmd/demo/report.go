package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/parquet-go/parquet-go"
)

// tally is how often each thing landed.
type tally map[string]int

// double returns how many landed more than once.
func (t tally) double() int {
	n := 0
	for _, times := range t {
		if times > 1 {
			n++
		}
	}
	return n
}

// landing is what the Parquet files hold.
type landing struct {
	payments, stamps tally // by idempotency key
	readings         tally // by where the terminal put it: epoch, seq, place in the block
	rejected         int
	bytes            int64 // of all files
}

// row is the columns that the demo looks at; a file of a kind without keys has none.
type row struct {
	Terminal       string `parquet:"terminal"`
	Epoch          string `parquet:"epoch"`
	Seq            int64  `parquet:"seq"`
	Index          int32  `parquet:"index"`
	IdempotencyKey string `parquet:"idempotency_key,optional"`
}

// landed reads the Parquet files until they hold what was answered with yes, or the lander has had time enough, and then
// once more after another roll, in case something lands twice. The files are read as they are: nothing of the lander's
// own knowledge is used.
func (d *demo) landed(ctx context.Context) (*landing, error) {
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_ = until(waiting, 300*time.Millisecond, func() error {
		l, err := readParquet(d.parquet())
		if err == nil && len(l.payments)+len(l.stamps) < d.terminal.answered() {
			err = errors.New("not all has landed")
		}
		return err
	})
	pause(ctx, 2*rollEvery)
	return readParquet(d.parquet()) // what is missing shows in the table
}

func readParquet(dir string) (*landing, error) {
	l := &landing{payments: tally{}, stamps: tally{}, readings: tally{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		kind, ok := strings.CutPrefix(filepath.Base(filepath.Dir(filepath.Dir(path))), "kind=")
		if !ok {
			return fmt.Errorf("unexpected file %s", path)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		l.bytes += info.Size()
		return l.add(kind, path)
	})
	return l, err
}

func (l *landing) add(kind, path string) error {
	rows, err := parquet.ReadFile[row](path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	for _, r := range rows {
		switch kind {
		case "payment":
			l.payments[r.IdempotencyKey]++
		case "stamp":
			l.stamps[r.IdempotencyKey]++
		case "rejected":
			l.rejected++
		case "lost": // numbers of readings that had to make room
		default:
			l.readings[fmt.Sprint(r.Terminal, r.Epoch, r.Seq, r.Index)]++
		}
	}
	return nil
}

// report prints the table, and reports whether anything is missing, double, or there without having been asked for.
func (d *demo) report(w io.Writer, l *landing) (lost bool) {
	missing := func(landed tally, prefix string) int {
		n := 0
		for key := range d.terminal.yes {
			if strings.HasPrefix(key, prefix) && landed[key] == 0 {
				n++
			}
		}
		return n
	}
	asked := func(prefix string) int { return count(d.terminal.asked, prefix) }
	yes := func(prefix string) int { return count(d.terminal.yes, prefix) }
	strange := 0
	for _, landed := range []tally{l.payments, l.stamps} {
		for key := range landed {
			if !d.terminal.asked[key] {
				strange++
			}
		}
	}
	payMissing, stampMissing := missing(l.payments, "pay-"), missing(l.stamps, "stamp-")
	doubles := l.payments.double() + l.stamps.double() + l.readings.double()
	total := len(l.payments) + len(l.stamps) + len(l.readings)

	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tto record\tanswered yes\tlanded\tmissing\tdouble\t")
	fmt.Fprintf(t, "payments\t%d\t%d\t%d\t%d\t%d\t\n", asked("pay-"), yes("pay-"), len(l.payments), payMissing, l.payments.double())
	fmt.Fprintf(t, "stamps\t%d\t%d\t%d\t%d\t%d\t\n", asked("stamp-"), yes("stamp-"), len(l.stamps), stampMissing, l.stamps.double())
	fmt.Fprintf(t, "readings\t\t\t%d\t\t%d\t\n", len(l.readings), l.readings.double())
	_ = t.Flush()
	perEvent := func(n uint64) string { return fmt.Sprintf("%.0f", float64(n)/float64(max(total, 1))) }
	fmt.Fprintf(w, `
killed with -9: agent %d, backend %d; network cut: %d
calls repeated because nobody answered: %d; because the answer was lost: %d
repeated calls that had been recorded before: %d, each answered with its first record
bytes per event, %d events: sent %s, received %s (TLS and reconnects included); written to the terminal's disk %s; Parquet %s
time: %.1f s
`, d.agent.kills, d.backend.kills, d.link.cuts, d.terminal.retries, len(d.terminal.forgotten), d.terminal.duplicates,
		total, perEvent(d.link.up.Load()), perEvent(d.link.down.Load()), perEvent(d.agent.diskWritten()), perEvent(uint64(l.bytes)),
		time.Since(d.start).Seconds())
	fmt.Fprintln(w, "\nReadings are held in memory for up to spill_after: what kill -9 takes of them was never answered with yes.")
	return payMissing+stampMissing+doubles+strange+l.rejected > 0 || d.terminal.duplicates == 0 || yes("pay-") != asked("pay-") || yes("stamp-") != asked("stamp-")
}
