package collect

import (
	"context"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// way is the default route that packets take: IPv4's, or IPv6's when there is no other. The zero way is none. Of IPv6 the
// gateway is left out: routers take turns.
type way struct{ link, gateway string }

// wayOf returns the way among the default routes of both families, as far as they tell.
func wayOf(ipv4, ipv6 *wire.RouteList) (w way, known bool) {
	switch {
	case ipv4 == nil:
		return way{}, false
	case len(ipv4.Routes) > 0:
		return way{ipv4.Routes[0].Interface, ipv4.Routes[0].Gateway}, true
	case ipv6 == nil:
		return way{}, false
	case len(ipv6.Routes) > 0:
		return way{link: ipv6.Routes[0].Interface}, true
	}
	return way{}, true
}

// wayWatch is the way that was told last. It belongs to the goroutine that reads.
type wayWatch struct {
	told  way
	known bool
}

// news returns whether a way differs from what was told. What becomes unknown is no news, and neither is what becomes known
// for the first time.
func (w *wayWatch) news(now way, known bool) bool { return known && w.known && now != w.told }

// remember keeps what is known.
func (w *wayWatch) remember(now way, known bool) {
	if known {
		w.told, w.known = now, true
	}
}

// readConnection reads how the terminal reaches the backend.
func (c *Collector) readConnection(ctx context.Context) []*wire.Event {
	network := c.opts.Board.Network(ctx)
	if ctx.Err() != nil {
		return nil
	}
	c.way.remember(wayOf(network.Ipv4Routes, network.Ipv6Routes))
	return []*wire.Event{{Body: &wire.Event_Connection{Connection: connectionOf(network, c.opts.Uplink())}}}
}

// lookAtWay tells of the connection when the default route changed or is gone. What may not be told at once now is looked at
// again, and told in its turn.
func (c *Collector) lookAtWay(ctx context.Context) []*wire.Event {
	if c.opts.Uplink == nil {
		return nil
	}
	now, known := wayOf(c.opts.Board.DefaultRoutes(ctx))
	if ctx.Err() != nil {
		return nil
	}
	if !c.way.news(now, known) {
		c.way.remember(now, known)
		return nil
	}
	if !c.urgent.take(time.Now()) {
		return nil
	}
	return c.readConnection(ctx)
}

// connectionOf joins what the kernel says of the network and what the uplink says of itself.
func connectionOf(network *wire.NetworkStatus, up *wire.UplinkStatus) *wire.Connection {
	r := &wire.Connection{
		State: up.GetState(), Stage: up.GetStage(),
		ResolveMs: up.ResolveMs, ConnectMs: up.ConnectMs, HandshakeMs: up.HandshakeMs,
		Retransmits: up.Retransmits, Connects: up.GetConnects(), Traffic: up.GetTraffic(),
	}
	if up.RoundTripUs != nil {
		r.RoundTripUs = new(twoDigits(*up.RoundTripUs))
	}
	if up.SinceAckMs != nil {
		r.SinceAckSeconds = new(uint64(max(*up.SinceAckMs, 0) / 1000))
	}
	if network.Ipv4Routes != nil && network.Ipv6Routes != nil {
		r.DefaultRoutes = new(uint32(len(network.Ipv4Routes.Routes) + len(network.Ipv6Routes.Routes)))
	}
	if network.NameServers != nil {
		r.NameServers = new(uint32(len(network.NameServers.Addresses)))
	}
	best, _ := wayOf(network.Ipv4Routes, network.Ipv6Routes)
	r.Interface = best.link
	for _, l := range network.GetLinks().GetLinks() {
		if l.GetName() == best.link {
			r.Link, r.Ipv4, r.Ipv6 = l.GetKind(), l.Ipv4, l.Ipv6
		}
	}
	return r
}

// twoDigits rounds a number to the two digits that count: the others are noise, and cost bytes.
func twoDigits(n uint32) uint32 {
	unit := uint32(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}
