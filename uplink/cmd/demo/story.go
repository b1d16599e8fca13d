package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// scene is something that happens when a share of the calls was answered.
type scene struct {
	at   float64
	text string
	play func(context.Context) error
}

// scenes returns what happens while the shop goes on selling.
func (d *demo) scenes() []scene {
	restart := func(p *process) func(context.Context) error {
		return func(ctx context.Context) error {
			p.kill()
			pause(ctx, time.Second/2) // as long as a supervisor takes to notice
			return p.start()
		}
	}
	return []scene{
		{0.10, "agent killed with -9 and started again (1 of 3)", restart(d.agent)},
		{0.20, "backend killed with -9 and started again (1 of 2)", restart(d.backend)},
		{0.30, fmt.Sprintf("network cut for %v", d.outage), func(ctx context.Context) error {
			d.link.setCut(true)
			time.AfterFunc(d.outage, func() {
				d.link.setCut(false)
				d.line.say("network is back")
			})
			return nil
		}},
		{0.45, "agent killed with -9 while offline and started again (2 of 3)", restart(d.agent)},
		{0.70, "backend killed with -9 and started again (2 of 2)", restart(d.backend)},
		{0.85, "agent killed with -9 while the queue drains and started again (3 of 3)", restart(d.agent)},
	}
}

// story rings up every payment and stamp while the scenes play.
func (d *demo) story(ctx context.Context) error {
	total := d.payments + d.stamps
	scenes := d.scenes()
	return d.trade(ctx, 80*time.Millisecond, // a busy shop, not a benchmark
		func(i int) bool { return i < total },
		func(ctx context.Context) error {
			answered := d.terminal.answered()
			d.line.progress(answered, total)
			if len(scenes) == 0 || float64(answered) < scenes[0].at*float64(total) {
				return nil
			}
			next := scenes[0]
			scenes = scenes[1:]
			d.line.say(next.text)
			return next.play(ctx)
		})
}

// trade lets the callers ring up sales while there are more, and calls watch all the while.
func (d *demo) trade(ctx context.Context, rest time.Duration, more func(i int) bool, watch func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var shop sync.WaitGroup
	for range d.callers {
		shop.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if !more(i) {
					return
				}
				if err := d.ringUp(ctx, i); err != nil {
					cancel(fmt.Errorf("call %d was not answered: %w", i, err))
				}
				pause(ctx, rest)
			}
		})
	}
	closed := make(chan struct{})
	go func() { shop.Wait(); close(closed) }()
	for {
		select {
		case <-closed:
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
			if err := watch(ctx); err != nil {
				cancel(err)
			}
		}
	}
}

// ringUp makes call i: payments and stamps take turns while both last.
func (d *demo) ringUp(ctx context.Context, i int) error {
	if d.chaos > 0 {
		if i%2 == 0 {
			return d.terminal.pay(ctx, fmt.Sprintf("pay-%d", i), int64(250+i%1000))
		}
		return d.terminal.stamp(ctx, fmt.Sprintf("stamp-%d", i), fmt.Sprintf("+1415555%04d", i%97))
	}
	pairs := min(d.payments, d.stamps)
	payment := d.payments > d.stamps
	if i < 2*pairs {
		payment = i%2 == 0
	}
	if payment {
		return d.terminal.pay(ctx, fmt.Sprintf("pay-%d", i), int64(250+i))
	}
	return d.terminal.stamp(ctx, fmt.Sprintf("stamp-%d", i), fmt.Sprintf("+1415555%04d", i%97))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// invite says what to try on the running pair.
func (d *demo) invite(w io.Writer) {
	fmt.Fprintf(w, `
Agent and backend are still running. Try:
  curl -s --unix-socket %[1]s/agent/stampd.sock -H 'content-type: application/json' \
    -d '{"payment":{"idempotencyKey":"mine-1","kind":"PAYMENT_KIND_AUTHORISED","amountMinor":"1250","currency":"EUR"}}' \
    http://stampd/stampd.v1.LocalService/RecordPayment
  %[2]s/stampd status --socket %[1]s/agent/stampd.sock
  %[2]s/stampd stamp award --socket %[1]s/agent/stampd.sock --key mine-2 --phone +14155550100
  duckdb -c "select kind, count(*) from read_parquet('%[3]s/*/*/*.parquet', hive_partitioning=true, union_by_name=true) group by kind"
Stop them:
  kill %[4]d %[5]d
`, d.dir, d.bin, d.parquet(), d.agent.cmd.Process.Pid, d.backend.cmd.Process.Pid)
}
