package collect

import (
	"context"
	"os"

	"github.com/stampd/stampd/uplink/wire"
)

// AgentName is what the agent calls itself among the applications. No other may be called so.
const AgentName = "stampd"

// readHost reads the processor, the memory, the disk and the network.
func (c *Collector) readHost(ctx context.Context) []*wire.Event {
	reading := c.opts.Board.Host(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return []*wire.Event{{Body: &wire.Event_Host{Host: reading}}}
}

// readApps reads how the agent itself and the applications that are watched perform. Those have the version that they
// reported last.
func (c *Collector) readApps(ctx context.Context) (events []*wire.Event) {
	add := func(reading *wire.AppPerformance, version string) {
		reading.Version = version
		events = append(events, &wire.Event{Body: &wire.Event_AppPerformance{AppPerformance: reading}})
	}
	own, err := c.opts.Board.App(ctx, AgentName, os.Getpid())
	if err != nil {
		c.opts.Log.Warn().Err(err).Msg("the agent can't be read")
	} else {
		add(own, c.opts.Version)
	}
	for _, reading := range c.opts.Board.Apps(ctx) {
		add(reading, c.reports.version(reading.App))
	}
	return events
}
