package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// measureIdle watches an agent with default schedules that has nothing to do, and beside it a rapid one, whose bytes are
// counted.
func measureIdle(ctx context.Context, l *lab) ([]figure, string, error) {
	a, err := l.idle(1, schedules{}, 1)
	if err != nil {
		return nil, "", err
	}
	defer a.close()
	b, err := l.idle(2, l.defaults.rapid(), rapidly)
	if err != nil {
		return nil, "", err
	}
	defer b.close()

	blocks, err := b.nextBlock()
	if err != nil {
		return nil, "", err
	}
	cpu, woken, before, begin := a.cpu(), a.wakeups(), b.link.traffic(), time.Now()
	pause(ctx, l.watch)
	cpu, woken, m, watched := a.cpu()-cpu, a.wakeups()-woken, a.memory(), time.Since(begin)
	after, err := b.nextBlock() // from block to block, as a day has them
	if err != nil {
		return nil, "", err
	}
	took, t := time.Since(begin), b.link.traffic().less(before)
	after -= blocks
	return []figure{
			{What: "processor time, default schedules", Got: 100 * cpu.Seconds() / watched.Seconds(), Unit: percent, Budget: atMost(0.5), Time: true},
			{What: "wakeups, default schedules", Got: float64(woken) / watched.Seconds(), Unit: eachSecond, Budget: atMost(2)},
			{What: "  in an hour", Got: 3600 * float64(woken) / watched.Seconds(), Unit: count},
			{What: "resident while idle and online", Got: m.now, Unit: megabytes, Budget: atMost(18)},
			{What: "  of it not backed by files", Got: m.anonymous, Unit: megabytes},
			{What: "on the wire in a day, with TCP and IP", Got: t.ip() * float64(24*time.Hour) / (rapidly * float64(took)), Unit: size, Budget: atMost(100_000)},
			{What: "  for each block of readings, and the probes of the link", Got: t.ip() / float64(max(after, 1)), Unit: size},
		}, fmt.Sprintf("Watched for %v, with a battery and a modem that change as in a shop. A wakeup is a thread that had gone to sleep\n"+
			"(voluntary_ctxt_switches of all threads). The day is projected from %d blocks of a second agent, all of whose\n"+
			"schedules, the probes of the link included, are the defaults divided by %d.", watched.Round(time.Second), after, rapidly), nil
}

// idler is an agent that has nothing to do, its hardware, and its link to the backend.
type idler struct {
	*agent
	link     *link
	hardware *terminal
}

// idle starts an agent on a terminal whose day passes so many times as fast, and waits until it is online.
func (l *lab) idle(number uint64, s schedules, times int) (*idler, error) {
	hardware, err := newTerminal(filepath.Join(l.dir, fmt.Sprint("hardware", number)), number, times)
	if err != nil {
		return nil, err
	}
	a, k, err := l.linked(settings{schedules: s, hardware: hardware})
	if err != nil {
		hardware.close()
		return nil, err
	}
	return &idler{a, k, hardware}, nil
}

func (i *idler) close() {
	i.stop()
	i.link.close()
	i.hardware.close()
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
