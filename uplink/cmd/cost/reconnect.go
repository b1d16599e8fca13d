package main

import (
	"context"
	"time"
)

// reconnects is how often the link is broken.
const reconnects = 8

// measureReconnect breaks the connection of an agent that has nothing to send, and counts what the next one costs until the
// stream is open and silent.
func measureReconnect(ctx context.Context, l *lab) ([]figure, string, error) {
	a, k, err := l.linked(settings{schedules: l.defaults.quiet()})
	if err != nil {
		return nil, "", err
	}
	defer k.close()
	defer a.stop()
	var sum traffic
	for range reconnects {
		s, err := a.status()
		if err != nil {
			return nil, "", err
		}
		before := s.GetUplink().GetConnects()
		k.setCut(true)
		k.setCut(false)
		err = until(ctx, 20*time.Second, "the agent is back", func() (bool, error) {
			s, err := a.status()
			return err == nil && s.GetUplink().GetConnects() > before, err
		})
		if err != nil {
			return nil, "", err
		}
		pause(ctx, lonePause)
		t := k.traffic()
		sum = traffic{sum.up + t.up, sum.down + t.down, sum.segments + t.segments}
	}
	bare, err := l.bareHandshake(ctx)
	if err != nil {
		return nil, "", err
	}
	floor, floorIP := bare.tls(), bare.ip()
	return []figure{
		{What: "TLS, hello and welcome", Got: sum.tls() / reconnects, Unit: size, Floor: &floor, Budget: atMost(2_000)},
		{What: "  sent", Got: sum.up / reconnects, Unit: size, Floor: &bare.up},
		{What: "  received", Got: sum.down / reconnects, Unit: size, Floor: &bare.down},
		{What: "  with TCP and IP", Got: sum.ip() / reconnects, Unit: size, Floor: &floorIP},
	}, "Nothing is queued. The floor is a bare TLS 1.3 handshake with the same certificates, both sides verified.", nil
}
