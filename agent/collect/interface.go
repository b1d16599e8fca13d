package collect

import (
	"context"

	"github.com/stampd/stampd/uplink/wire"
)

// readInterfaces reads what went over each network interface.
func (c *Collector) readInterfaces(ctx context.Context) []*wire.Event {
	var events []*wire.Event
	for _, reading := range c.opts.Board.Interfaces(ctx) {
		events = append(events, &wire.Event{Body: &wire.Event_NetworkInterface{NetworkInterface: reading}})
	}
	return events
}
