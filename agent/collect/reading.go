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

// readApp reads how the agent itself performs.
func (c *Collector) readApp(ctx context.Context) []*wire.Event {
	reading, err := c.opts.Board.App(ctx, AgentName, os.Getpid())
	if err != nil {
		c.opts.Log.Warn().Err(err).Msg("the agent can't be read")
		return nil
	}
	reading.Version = c.opts.Version
	return []*wire.Event{{Body: &wire.Event_AppPerformance{AppPerformance: reading}}}
}
