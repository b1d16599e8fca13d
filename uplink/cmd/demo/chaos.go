package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// ruin kills and cuts at random, as often as every second, for as long as asked, while the callers trade as fast as they
// are answered.
func (d *demo) ruin(ctx context.Context) error {
	end := time.Now().Add(d.chaos)
	strike := time.Now().Add(time.Second)
	err := d.trade(ctx, 0,
		func(int) bool { return time.Now().Before(end) },
		func(ctx context.Context) error {
			d.line.show(fmt.Sprintf("%v left, %d answered, agent killed %d times, backend %d times, network cut %d times",
				time.Until(end).Round(time.Second), d.terminal.answered(), d.agent.kills, d.backend.kills, d.link.cuts))
			if now := time.Now(); now.Before(strike) || now.After(end) {
				return nil
			}
			strike = time.Now().Add(200*time.Millisecond + rand.N(1800*time.Millisecond))
			return d.strike(ctx)
		})
	d.link.setCut(false)
	return err
}

// strike does one bad thing.
func (d *demo) strike(ctx context.Context) error {
	switch rand.N(3) {
	case 0:
		d.agent.kill()
		return d.agent.start()
	case 1:
		d.backend.kill()
		pause(ctx, rand.N(time.Second))
		return d.backend.start()
	default:
		d.link.setCut(true)
		time.AfterFunc(rand.N(2*time.Second), func() { d.link.setCut(false) })
		return nil
	}
}
