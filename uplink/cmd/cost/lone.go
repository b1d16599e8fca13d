package main

import (
	"context"
	"time"
)

const (
	// loneEvents is how many lone payments are sent, and lonePause what stands for the minute between them: longer than
	// TCP waits with an acknowledgement that it hopes to send along with data (40 ms on Linux).
	loneEvents = 40
	lonePause  = 250 * time.Millisecond
)

// measureLone counts what a payment costs on a stream that is open already.
func measureLone(ctx context.Context, l *lab) ([]figure, string, error) {
	a, k, err := l.linked(settings{schedules: l.defaults.quiet()})
	if err != nil {
		return nil, "", err
	}
	defer k.close()
	defer a.stop()
	for range 3 {
		if err := a.pay(); err != nil {
			return nil, "", err
		}
		pause(ctx, lonePause)
	}
	before := k.traffic()
	for range loneEvents {
		if err := a.pay(); err != nil {
			return nil, "", err
		}
		pause(ctx, lonePause)
	}
	if err := a.settled(10 * time.Second); err != nil {
		return nil, "", err
	}
	t := k.traffic().less(before)
	payment, err := onePayment()
	if err != nil {
		return nil, "", err
	}
	bare, err := l.bareExchange(ctx, len(payment.Bytes()))
	if err != nil {
		return nil, "", err
	}
	floor := bare.ip()
	return []figure{
			{What: "with TCP and IP", Got: t.ip() / loneEvents, Unit: size, Floor: &floor, Budget: atMost(300)},
			{What: "  sent, TLS", Got: t.up / loneEvents, Unit: size, Floor: &bare.up},
			{What: "  received, TLS", Got: t.down / loneEvents, Unit: size, Floor: &bare.down},
			{What: "  TCP segments", Got: t.segments / loneEvents, Unit: count, Floor: &bare.segments},
		}, "Bytes that pass, and 52 for each segment that the kernel says it sent or received (tcp_info), acknowledgements included.\n" +
			"The floor is the payment alone in a TLS record, and an answer of one byte.", nil
}

// linked starts an agent that reaches the backend over a link of its own, and waits until it is online.
func (l *lab) linked(s settings) (*agent, *link, error) {
	if err := l.serve(); err != nil {
		return nil, nil, err
	}
	k, err := newLink(l.address)
	if err != nil {
		return nil, nil, err
	}
	s.backend = k.address()
	a, err := l.newAgent(s)
	if err == nil {
		_, err = a.start()
	}
	if err == nil {
		err = a.online(10 * time.Second)
	}
	if err != nil {
		k.close()
		if a != nil {
			a.stop()
		}
		return nil, nil, err
	}
	return a, k, nil
}
