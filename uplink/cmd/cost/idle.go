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
	rapid, err := l.rapid()
	if err != nil {
		return nil, "", err
	}
	b, rk, err := l.linked(rapid)
	if err != nil {
		return nil, "", err
	}
	defer rk.close()
	defer b.stop()

	blocks, err := b.nextBlock()
	if err != nil {
		return nil, "", err
	}
	cpu, before, begin := a.cpu(), rk.traffic(), time.Now()
	pause(ctx, l.idle)
	cpu, m, watched := a.cpu()-cpu, a.memory(), time.Since(begin)
	after, err := b.nextBlock() // from block to block, as a day has them
	if err != nil {
		return nil, "", err
	}
	took, t := time.Since(begin), rk.traffic().less(before)
	after -= blocks
	return []figure{
			{What: "processor time, default schedules", Got: 100 * cpu.Seconds() / watched.Seconds(), Unit: percent, Budget: atMost(0.5), Time: true},
			{What: "resident while idle and online", Got: m.now, Unit: megabytes, Budget: atMost(18)},
			{What: "  of it not backed by files", Got: m.anonymous, Unit: megabytes},
			{What: "on the wire in a day, with TCP and IP", Got: t.ip() * float64(24*time.Hour) / (rapidly * float64(took)), Unit: size, Budget: atMost(100_000)},
			{What: "  for each block of readings, and the probes of the link", Got: t.ip() / float64(max(after, 1)), Unit: size},
		}, fmt.Sprintf("Watched for %v. The day is projected from %d blocks of a second agent, all of whose schedules, the probes of the link\n"+
			"included, are the defaults divided by %d.", watched.Round(time.Second), after, rapidly), nil
}

// nextBlock waits until the backend has stored another block of readings, and returns how many there were by then.
func (a *agent) nextBlock() (blocks uint64, err error) {
	before, err := a.blocks()
	if err != nil {
		return 0, err
	}
	err = until(a.lab.ctx, 2*time.Minute, "there is another block of readings", func() (bool, error) {
		blocks, err = a.blocks()
		pause(a.lab.ctx, 50*time.Millisecond)
		return blocks > before, err
	})
	pause(a.lab.ctx, time.Second)
	return blocks, err
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
