package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// printNetwork writes the way out, the interfaces, who is asked for names, and how soon the backend answers.
func printNetwork(w io.Writer, p palette, n *wire.NetworkStatus, u *wire.UplinkStatus) {
	if n == nil {
		row(w, "network", "unknown")
		return
	}
	row(w, "network", wayOut(p, n))
	for _, l := range n.GetLinks().GetLinks() {
		row(w, "", linkText(p, l))
	}
	row(w, "", namesText(p, n.GetNameServers()))
	if text := tripText(u); text != "" {
		row(w, "", text)
	}
}

// wayOut says which way packets take.
func wayOut(p palette, n *wire.NetworkStatus) string {
	var ways []string
	unknown := false
	for _, family := range []struct {
		name   string
		routes *wire.RouteList
	}{{"IPv4", n.GetIpv4Routes()}, {"IPv6", n.GetIpv6Routes()}} {
		unknown = unknown || family.routes == nil
		if len(family.routes.GetRoutes()) == 0 {
			continue
		}
		best := family.routes.GetRoutes()[0]
		text := fmt.Sprintf("%s over %s", family.name, printable(best.GetInterface()))
		if best.GetGateway() != "" {
			text += " by " + printable(best.GetGateway())
		}
		ways = append(ways, text)
	}
	switch {
	case len(ways) > 0:
		return "default route: " + strings.Join(ways, ", ")
	case unknown:
		return "default route unknown"
	}
	return p.bad("no default route: nothing can be reached")
}

func linkText(p palette, l *wire.LinkStatus) string {
	words := []string{}
	if kind := l.GetKind(); kind == wire.LinkKind_LINK_KIND_WIFI {
		words = append(words, "Wi-Fi")
	} else if kind == wire.LinkKind_LINK_KIND_ETHERNET || kind == wire.LinkKind_LINK_KIND_CELLULAR {
		words = append(words, strings.ToLower(strings.TrimPrefix(kind.String(), "LINK_KIND_")))
	}
	up := l.GetState() == wire.LinkState_LINK_STATE_UP || l.GetState() == wire.LinkState_LINK_STATE_UNSPECIFIED && l.GetCarrier()
	switch {
	case l.GetState() == wire.LinkState_LINK_STATE_DOWN:
		words = append(words, p.warn("down"))
	case l.Carrier != nil && !l.GetCarrier():
		words = append(words, p.warn("no signal"))
	case l.GetState() == wire.LinkState_LINK_STATE_DORMANT:
		words = append(words, p.warn("waits for the network to let it in"))
	case up:
		words = append(words, p.good("up"))
	default:
		words = append(words, "state unknown")
	}
	if len(l.GetAddresses()) > 0 {
		words = append(words, printable(strings.Join(l.GetAddresses(), " ")))
	}
	if up && l.Ipv4 != nil && l.Ipv6 != nil && !l.GetIpv4() && !l.GetIpv6() {
		words = append(words, p.warn("no address that works beyond the link"))
	}
	return printable(l.GetName()) + ": " + strings.Join(words, ", ")
}

func namesText(p palette, s *wire.NameServers) string {
	switch {
	case s == nil:
		return "name servers unknown"
	case len(s.GetAddresses()) == 0:
		return p.warn("no name server")
	}
	text := "names from " + printable(strings.Join(s.GetAddresses(), ", "))
	if s.GetStub() {
		text += ", asked by a resolver on the terminal"
	}
	return text
}

// tripText says how soon the backend answers, or nothing.
func tripText(u *wire.UplinkStatus) string {
	if u == nil {
		return ""
	}
	var words []string
	if u.GetRoundTripUs() > 0 {
		trip := time.Duration(u.GetRoundTripUs()) * time.Microsecond
		words = append(words, fmt.Sprintf("round trip %.1f ms", float64(trip)/float64(time.Millisecond)))
	}
	if u.GetRetransmits() > 0 {
		words = append(words, count(u.GetRetransmits(), "segment")+" sent again")
	}
	for _, step := range []struct {
		name string
		ms   *uint32
	}{{"last look-up", u.ResolveMs}, {"connection", u.ConnectMs}, {"TLS", u.HandshakeMs}} {
		if step.ms != nil {
			words = append(words, fmt.Sprintf("%s %d ms", step.name, *step.ms))
		}
	}
	return strings.Join(words, ", ")
}

// printTraffic writes what today and the day before cost, by what it was for.
func printTraffic(w io.Writer, days []*wire.TrafficDay) {
	label := "traffic"
	for i, d := range days[:min(len(days), 2)] {
		name := d.GetDate()
		switch {
		case i == 0:
			name = "today"
		case name == dayBefore(days[0].GetDate()):
			name = "yesterday"
		case name == "":
			name = "before"
		}
		row(w, label, name+" "+trafficText(d.GetTraffic()))
		label = ""
	}
}

// dayBefore returns the date before another, or nothing.
func dayBefore(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return ""
	}
	return t.AddDate(0, 0, -1).Format(time.DateOnly)
}

func trafficText(t *wire.Traffic) string {
	overhead := t.GetSentOverheadBytes() + t.GetReceivedOverheadBytes()
	tcp := t.GetSentTcpBytes() + t.GetReceivedTcpBytes()
	sum := t.GetSentLedgerBytes() + t.GetSentTelemetryBytes() + overhead + tcp
	text := fmt.Sprintf("%s: payments and stamps %s, readings %s, overhead %s", bytesOf(sum), bytesOf(t.GetSentLedgerBytes()),
		bytesOf(t.GetSentTelemetryBytes()), bytesOf(overhead))
	if t != nil && t.SentTcpBytes == nil {
		return text + ", TCP and IP unknown"
	}
	return text + ", TCP and IP " + bytesOf(tcp)
}
