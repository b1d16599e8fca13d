package main

import (
	"context"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// perBlock is how many rounds of readings a block holds, and perRound how many events a round is: battery, modem, host
	// and application, which together have 27 measured values.
	perBlock = 100
	perRound = 4
	// warmUp is how many rounds pass before: until batteries that began low are charged.
	warmUp = 300
)

// entropy is the order-0 entropy of the differences between readings of blocktest's fleet, in bytes a round: BenchmarkBytes
// of uplink/block computes it.
const entropy = 9.0

// fill puts readings into a queue, as the collector does, a block of each terminal of a small fleet in turn: some are easier
// to pack than others. It returns the processor time that took.
func fill(q *buffer.Queue, times blocktest.Times, events int) (time.Duration, error) {
	var fleet [10]*blocktest.Terminal
	for i := range fleet {
		fleet[i] = blocktest.New(blocktest.Options{Seed: 1, Number: uint64(i), Jitter: blocktest.Jitter, Times: times})
		for range warmUp {
			fleet[i].Round()
		}
	}
	guard := pci.NewGuard(block.Encode)
	var took time.Duration
	for n := range events / (perBlock * perRound) {
		var readings []*wire.Event
		terminal := fleet[n%len(fleet)]
		for range perBlock {
			readings = append(readings, terminal.Round()...)
		}
		begin := ownCPU()
		clean := make([]pci.Clean, 0, len(readings))
		for _, e := range readings {
			c, err := guard.Check(e)
			if err != nil {
				return 0, err
			}
			clean = append(clean, c)
		}
		packed, err := guard.Pack(clean)
		if err != nil {
			return 0, err
		}
		if _, err := q.AppendTelemetry(packed); err != nil {
			return 0, err
		}
		took += ownCPU() - begin
	}
	return took, nil
}

// ownCPU returns the processor time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measureReadings fills a queue file with readings, and lets an agent drain it.
func measureReadings(ctx context.Context, l *lab) ([]figure, string, error) {
	var figures []figure
	floor := entropy
	for _, of := range []struct {
		name  string
		times blocktest.Times
	}{
		{"all of a round at once", blocktest.TimesByRound},
		{"each late by itself", blocktest.TimesByKind},
	} {
		d, cpu, err := l.drainReadings(ctx, of.times)
		if err != nil {
			return nil, "", err
		}
		n := float64(l.events)
		perReading := figure{What: "on the wire for a reading, " + of.name, Got: d.traffic.tls() / n * perRound, Unit: size, Floor: &floor, Budget: atMost(10)}
		if of.times == blocktest.TimesByRound {
			figures = append(figures, perReading,
				figure{What: "checked and packed, processor time for 100,000 events", Got: cpu.Seconds() * 100_000 / n, Unit: seconds, Time: true})
			figures = append(figures, d.figures(n, atLeast(100_000), nil)...)
		} else {
			perReading.Budget = nil
			figures = append(figures, perReading)
		}
	}
	return figures, "A reading is a round of four events, which have 27 measured values together; TLS, handshake and acknowledgements included.\n" +
		"The floor is the entropy of the differences between readings: what no coder of differences goes below.", nil
}

// drainReadings makes a terminal with a full queue, and drains it.
func (l *lab) drainReadings(ctx context.Context, times blocktest.Times) (d drained, cpu time.Duration, err error) {
	if err := l.serve(); err != nil {
		return d, 0, err
	}
	k, err := newLink(l.address)
	if err != nil {
		return d, 0, err
	}
	defer k.close()
	k.setCut(true)
	a, err := l.newAgent(settings{backend: k.address(), schedules: l.defaults.quiet()})
	if err != nil {
		return d, 0, err
	}
	key, err := pci.LoadOrCreateKey(filepath.Join(a.dir, "queue.key"))
	if err != nil {
		return d, 0, err
	}
	q, err := openQueue(filepath.Join(a.dir, "queue.db"), a.name, key)
	if err != nil {
		return d, 0, err
	}
	if cpu, err = fill(q, times, l.events); err != nil {
		return d, 0, err
	}
	if err := q.Close(); err != nil {
		return d, 0, err
	}
	defer a.stop()
	if _, err := a.start(); err != nil {
		return d, 0, err
	}
	d, err = l.drain(ctx, a, k, wire.Lane_LANE_TELEMETRY)
	return d, cpu, err
}
