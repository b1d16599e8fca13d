package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/uplink/block/blocktest"
)

// spillWatch is how long an agent is watched that writes nothing.
const spillWatch = 20 * time.Second

// measureSpill counts what readings cost the device: none while online; while offline the blocks that an outage's worth of
// them makes.
func measureSpill(ctx context.Context, l *lab) ([]figure, string, error) {
	d, err := l.newDisk()
	if err != nil {
		return nil, "", err
	}
	defer d.close()
	if err := l.serve(); err != nil {
		return nil, "", err
	}
	a, err := l.newAgent(settings{queue: filepath.Join(d.dir, "online"), backend: l.address, schedules: l.defaults.rapid()})
	if err != nil {
		return nil, "", err
	}
	defer a.stop()
	if _, err := a.start(); err != nil {
		return nil, "", err
	}
	if err := a.online(10 * time.Second); err != nil {
		return nil, "", err
	}
	online, err := d.count(a.process, func() error { pause(ctx, spillWatch); return nil })
	if err != nil {
		return nil, "", err
	}
	a.stop()

	offline, err := d.count(nil, func() error {
		q, err := openQueue(filepath.Join(d.dir, "offline.db"), "t-1", [32]byte{1})
		if err != nil {
			return err
		}
		if _, err := fill(q, blocktest.TimesByRound, l.events); err != nil {
			return err
		}
		return q.Close()
	})
	if err != nil {
		return nil, "", err
	}
	zero := 0.0
	return []figure{
		{What: fmt.Sprintf("%v of readings while online, in all", rapidly*spillWatch), Got: online.bytes, Unit: size, Floor: &zero, Budget: atMost(0)},
		{What: "an event while offline, 400 a block, written 4 MiB at a time", Got: offline.bytes / float64(l.events), Unit: size, Budget: atMost(40)},
	}, d.how() + fmt.Sprintf("\nOnline is an agent with the default schedules divided by %d, for %v.", rapidly, spillWatch), nil
}
