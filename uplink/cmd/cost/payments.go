package main

import (
	"context"
	"fmt"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// measurePayments rings up an outage's worth of payments, and lets a newly started agent drain them.
func measurePayments(ctx context.Context, l *lab) ([]figure, string, error) {
	if err := l.serve(); err != nil {
		return nil, "", err
	}
	k, err := newLink(l.address)
	if err != nil {
		return nil, "", err
	}
	defer k.close()
	k.setCut(true)
	a, err := l.newAgent(settings{backend: k.address(), schedules: l.defaults.quiet()})
	if err != nil {
		return nil, "", err
	}
	defer a.stop()
	if _, err := a.start(); err != nil {
		return nil, "", err
	}
	before, begin := a.cpu(), time.Now()
	if err := a.payMany(l.events, manyCallers); err != nil {
		return nil, "", err
	}
	rate := float64(l.events) / time.Since(begin).Seconds()
	cpuIn := a.cpu() - before
	in := a.memory()
	a.stop()

	started, err := a.start()
	if err != nil {
		return nil, "", err
	}
	drained, err := l.drain(ctx, a, k, wire.Lane_LANE_LEDGER)
	if err != nil {
		return nil, "", err
	}
	per100k := 100_000 / float64(l.events)
	figures := []figure{
		{What: fmt.Sprintf("taken from %d callers over the local API", manyCallers), Got: rate, Unit: perSecond, Time: true},
		{What: "  processor time for 100,000", Got: cpuIn.Seconds() * per100k, Unit: seconds, Time: true},
		{What: "  resident at most meanwhile", Got: in.peak, Unit: megabytes},
		{What: "start with " + count.format(float64(l.events)) + " in the queue", Got: ms(started), Unit: millis, Budget: atMost(300), Time: true},
	}
	floor := randomBytes
	return append(figures, drained.figures(float64(l.events), atLeast(20_000), &floor)...),
		"Everything is one agent process and one backend on this machine; both share its cores with the POS app that makes the calls.\n" +
			"The floor of the bytes is what of a payment is as good as random, such as the UUID that is its key.", nil
}

// drain is what it took to send all that was queued.
type drained struct {
	took, cpu time.Duration
	memory    memory // when all was sent, and some time had passed
	traffic   traffic
}

// drain mends the link, and waits until the backend has stored everything of a lane.
func (l *lab) drain(ctx context.Context, a *agent, k *link, lane wire.Lane) (drained, error) {
	var d drained
	before, begin := a.cpu(), time.Now()
	k.setCut(false)
	err := until(ctx, 2*time.Minute, "the queue is drained", func() (bool, error) {
		s, err := a.status()
		if err != nil {
			return false, err
		}
		if d.traffic.down == 0 {
			if s.GetUplink().GetState() != wire.UplinkState_UPLINK_STATE_ONLINE {
				begin = time.Now()
			}
		}
		d.traffic = k.traffic()
		pause(ctx, 10*time.Millisecond)
		return waiting(s, lane) == 0, nil
	})
	d.took, d.cpu = time.Since(begin), a.cpu()-before
	pause(ctx, 2*time.Second)
	d.memory = a.memory()
	return d, err
}

// figures tells of n events; floor is of the bytes of one.
func (d drained) figures(n float64, rate *budget, floor *float64) []figure {
	return []figure{
		{What: "drained on loopback", Got: n / d.took.Seconds(), Unit: perSecond, Budget: rate, Time: true},
		{What: "  processor time of the agent for 100,000", Got: d.cpu.Seconds() * 100_000 / n, Unit: seconds, Time: true},
		{What: "  resident at most", Got: d.memory.peak, Unit: megabytes, Budget: atMost(30)},
		{What: "  resident afterwards", Got: d.memory.now, Unit: megabytes},
		{What: "  of it not backed by files", Got: d.memory.anonymous, Unit: megabytes},
		{What: "  on the wire for each, TLS", Got: d.traffic.tls() / n, Unit: size, Floor: floor},
		{What: "  on the wire for each, with TCP and IP", Got: d.traffic.ip() / n, Unit: size},
	}
}
