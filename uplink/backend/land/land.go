// Package land takes what the log gets to where people ask questions of it. It follows the log, and cuts it into the
// ranges that a lander lands; package row says what an entry's rows are, and each lander is a package of its own
// (parquet), which keeps how far it has landed beside its rows.
//
// The backend's wiring uses it. It never changes the log, and never tries again what failed on a disk.
package land

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land/parquet"
)

// What Options leaves open.
const (
	defaultRollRows  = 100_000
	defaultRollEvery = 10 * time.Second
)

// Options is what a [Runner] is made of.
type Options struct {
	Log *eventlog.Log
	Dir string // of the Parquet files; made when it isn't there

	// A range is landed as soon as it has so many rows, or so long after its first entry was seen. 0 means 100,000
	// rows, and 10 s. The entry that reaches the number of rows lands as a whole.
	RollRows  int
	RollEvery time.Duration

	Logger zerolog.Logger
}

// Runner lands the entries of a log.
type Runner struct {
	log       *eventlog.Log
	lander    *parquet.Lander
	rollRows  int
	rollEvery time.Duration
	logger    zerolog.Logger
}

// New returns a runner that has not begun. It fails when the folder can't be used, or belongs to another log.
func New(o Options) (*Runner, error) {
	if o.RollRows < 0 || o.RollEvery < 0 {
		return nil, errors.New("cannot land: a limit is negative")
	}
	r := &Runner{log: o.Log, rollRows: o.RollRows, rollEvery: o.RollEvery, logger: o.Logger}
	if r.rollRows == 0 {
		r.rollRows = defaultRollRows
	}
	if r.rollEvery == 0 {
		r.rollEvery = defaultRollEvery
	}
	var err error
	r.lander, err = parquet.Open(parquet.Options{Log: o.Log, Dir: o.Dir})
	return r, err
}

// Run lands what the log gets until ctx ends; then it lands what the log holds at that time, and returns nil. On an
// error the process should end: the next one finishes what this one began. Call it once.
func (r *Runner) Run(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	rows, err := r.lander.Resume(work)
	if err != nil {
		return err
	}
	if rows > 0 {
		r.logger.Info().Uint64("offset", r.lander.Offset()).Int("rows", rows).Msg("landed again what a crash left open")
	}
	for ctx.Err() == nil {
		to, err := r.next(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("cannot follow the log: %w", err)
		}
		if ctx.Err() != nil {
			break
		}
		if err := r.land(work, to); err != nil {
			return err
		}
	}
	for head := r.log.Head(); r.lander.Offset() < head; {
		c := cut{to: r.lander.Offset(), limit: r.rollRows}
		if err := c.extend(work, r.log, head); err != nil {
			return err
		}
		if err := r.land(work, c.to); err != nil {
			return err
		}
	}
	return nil
}

// next waits until there is a range to land, and returns its end.
func (r *Runner) next(ctx context.Context) (uint64, error) {
	c := cut{to: r.lander.Offset(), limit: r.rollRows}
	if err := r.log.Wait(ctx, c.to); err != nil {
		return 0, err
	}
	soon, cancel := context.WithTimeout(ctx, r.rollEvery)
	defer cancel()
	for !c.full {
		if err := c.extend(ctx, r.log, r.log.Head()); err != nil {
			return 0, err
		}
		if c.full {
			break
		}
		err := r.log.Wait(soon, c.to)
		if soon.Err() != nil {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return c.to, nil
}

func (r *Runner) land(ctx context.Context, to uint64) error {
	from, start := r.lander.Offset()+1, time.Now()
	rows, err := r.lander.Land(ctx, to)
	if err != nil {
		return err
	}
	r.logger.Debug().Uint64("from", from).Uint64("to", to).Int("rows", rows).Int64("took_ms", time.Since(start).Milliseconds()).Msg("landed")
	return nil
}
