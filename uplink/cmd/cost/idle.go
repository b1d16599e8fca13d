package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// measureIdle watches an agent with default schedules that has nothing to do, and beside it a rapid one, whose bytes are
// counted.
func measureIdle(ctx context.Context, l *lab) ([]figure, string, error) {
	a, k, err := l.linked(schedules{})
	if err != nil {
		return nil, "", err
	}
	defer k.close()
	defer a.stop()
	b, rk, err := l.linked(rapid())
	if err != nil {
		return nil, "", err
	}
	defer rk.close()
	defer b.stop()

	pause(ctx, 12*time.Second) // the first readings and the first block
	blocks, err := b.blocks()
	if err != nil {
		return nil, "", err
	}
	cpu, before, begin := a.cpu(), rk.traffic(), time.Now()
	pause(ctx, l.idle)
	took := time.Since(begin)
	cpu = a.cpu() - cpu
	m := a.memory()
	t := rk.traffic().less(before)
	after, err := b.blocks()
	if err != nil {
		return nil, "", err
	}
	after -= blocks
	return []figure{
			{What: "processor time, default schedules", Got: 100 * cpu.Seconds() / took.Seconds(), Unit: percent, Budget: atMost(0.5), Time: true},
			{What: "resident while idle and online", Got: m.now, Unit: megabytes, Budget: atMost(18)},
			{What: "  of it not backed by files", Got: m.anonymous, Unit: megabytes},
			{What: "on the wire in a day, with TCP and IP", Got: t.ip() * float64(24*time.Hour) / (rapidly * float64(took)), Unit: size, Budget: atMost(100_000)},
			{What: "  for each block of readings, and the probes of the link", Got: t.ip() / float64(max(after, 1)), Unit: size},
		}, fmt.Sprintf("Watched for %v. The day is projected from %d blocks of a second agent, all of whose schedules, the probes of the link\n"+
			"included, are the defaults divided by %d.", took.Round(time.Second), after, rapidly), nil
}

// blocks returns how many blocks of readings the agent has made.
func (a *agent) blocks() (n uint64, err error) {
	s, err := a.status()
	if err != nil {
		return 0, err
	}
	for _, lane := range s.GetLanes() {
		if lane.GetLane() == wire.Lane_LANE_TELEMETRY {
			n += lane.GetNext() - 1
		}
	}
	return n, nil
}
