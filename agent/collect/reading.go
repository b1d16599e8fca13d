package collect

import (
	"context"
	"os"

	"github.com/stampd/stampd/uplink/wire"
)

// agentName is what the agent calls itself among the applications.
const agentName = "stampd"

// readHost records the processor, the memory, the disk and the network.
func (c *Collector) readHost(ctx context.Context) {
	reading := c.opts.Board.Host(ctx)
	if ctx.Err() != nil {
		return
	}
	c.record(&wire.Event{Body: &wire.Event_Host{Host: reading}})
}

// readApp records how the agent itself performs.
func (c *Collector) readApp(ctx context.Context) {
	reading, err := c.opts.Board.App(ctx, agentName, os.Getpid())
	if err != nil {
		c.opts.Log.Warn().Err(err).Msg("the agent can't be read")
		return
	}
	reading.Version = c.opts.Version
	c.record(&wire.Event{Body: &wire.Event_AppPerformance{AppPerformance: reading}})
}
