package hal

import (
	"io/fs"
	"path"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// Types of interfaces: include/uapi/linux/if_arp.h.
const (
	typeEthernet = 1
	typeRawIP    = 519 // Qualcomm's rmnet, and nothing else
)

// list reads the interfaces that have hardware behind them or a default route.
func (n *networking) list() (*wire.LinkList, error) {
	sys := sysfs(n.sysRoot)
	entries, err := fs.ReadDir(sys, netClass)
	if err != nil {
		return nil, err
	}
	routed := n.routed()
	ipv4, ipv6 := n.readAddresses()
	all := new(wire.LinkList)
	for _, e := range entries {
		dir := path.Join(netClass, e.Name())
		_, err := fs.Stat(sys, path.Join(dir, "device"))
		if err != nil && !routed[e.Name()] || !isLink(e.Name()) || len(all.Links) == maxLinks {
			continue
		}
		l := readLink(sys, dir, e.Name(), err == nil)
		if addresses, known := ipv4[l.Name]; known {
			l.Ipv4 = addressed(l, addresses)
		}
		if ipv6 != nil {
			l.Ipv6 = addressed(l, ipv6[l.Name])
		}
		all.Links = append(all.Links, l)
	}
	return all, nil
}

// routed returns the interfaces that have a default route.
func (n *networking) routed() map[string]bool {
	routed := make(map[string]bool)
	for _, read := range []func() (*wire.RouteList, error){n.ipv4Routes, n.ipv6Routes} {
		routes, err := read()
		if err != nil {
			continue
		}
		for _, r := range routes.Routes {
			routed[r.Interface] = true
		}
	}
	return routed
}

// readLink reads what sysfs has of an interface: Documentation/ABI/testing/sysfs-class-net.
func readLink(sys fs.FS, dir, name string, hardware bool) *wire.LinkStatus {
	get := attributes(func(name string) []byte {
		content, _ := fs.ReadFile(sys, path.Join(dir, name))
		return content
	})
	l := &wire.LinkStatus{Name: name, State: parseLinkState(get("operstate"))}
	if carrier := get.number("carrier", 0, 1); carrier != nil {
		l.Carrier = new(*carrier == 1)
	}
	_, wireless := fs.Stat(sys, path.Join(dir, "wireless"))
	_, phy := fs.Stat(sys, path.Join(dir, "phy80211"))
	l.Kind = kindOf(get("uevent"), get.number("type", 0, 1<<16-1), wireless == nil || phy == nil, hardware)
	return l
}

// kindOf returns what an interface is. The driver says so in DEVTYPE (drivers/net/usb/usbnet.c, net/wireless/core.c); one
// that does not is Ethernet if it has that type and hardware of its own.
func kindOf(uevent []byte, kind *int64, wifi, hardware bool) wire.LinkKind {
	device := ""
	for line := range strings.Lines(string(uevent)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVTYPE="); ok {
			device = value
		}
	}
	switch {
	case device == "wlan" || wifi:
		return wire.LinkKind_LINK_KIND_WIFI
	case device == "wwan" || kind != nil && *kind == typeRawIP:
		return wire.LinkKind_LINK_KIND_CELLULAR
	case kind == nil:
		return wire.LinkKind_LINK_KIND_UNSPECIFIED
	case device == "" && *kind == typeEthernet && hardware:
		return wire.LinkKind_LINK_KIND_ETHERNET
	}
	return wire.LinkKind_LINK_KIND_OTHER
}

// parseLinkState returns the state that the attribute "operstate" names: net/core/net-sysfs.c, operstates.
func parseLinkState(content []byte) wire.LinkState {
	switch parseText(content) {
	case "up":
		return wire.LinkState_LINK_STATE_UP
	case "down", "lowerlayerdown", "notpresent", "testing":
		return wire.LinkState_LINK_STATE_DOWN
	case "dormant":
		return wire.LinkState_LINK_STATE_DORMANT
	}
	return wire.LinkState_LINK_STATE_UNSPECIFIED
}
