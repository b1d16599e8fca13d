package hal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// Tables of procfs, below net.
const (
	ipv4Table = "route"      // net/ipv4/fib_trie.c, fib_route_seq_show
	ipv6Table = "ipv6_route" // net/ipv6/ip6_fib.c, ipv6_route_native_seq_show
)

// Flags of routes in both tables: include/uapi/linux/route.h.
const (
	routeUp     = 0x0001
	routeReject = 0x0200 // what goes there is refused
)

// errTable means that a table is not as the kernel writes it.
var errTable = errors.New("not a table of the kernel's")

func (n *networking) ipv4Routes() (*wire.RouteList, error) {
	content, err := n.readTable(ipv4Table)
	if err != nil {
		return nil, err
	}
	return parseIPv4Routes(content, binary.NativeEndian)
}

func (n *networking) ipv6Routes() (*wire.RouteList, error) {
	content, err := n.readTable(ipv6Table)
	if err != nil {
		return nil, err
	}
	return parseIPv6Routes(content)
}

// parseIPv4Routes returns the default routes in /proc/net/route. The kernel writes an address as the number that its four
// bytes are on the machine, so the order of the machine's bytes is needed to read it.
//
// A single line that can't be read makes the whole table unknown: it may be the default route.
func parseIPv4Routes(content []byte, order binary.ByteOrder) (*wire.RouteList, error) {
	table, err := lines(content)
	if err != nil || len(table) == 0 { // there is always the line with the names
		return nil, errTable
	}
	routes := new(wire.RouteList)
	for i, line := range table {
		if i == 0 && strings.HasPrefix(line, "Iface\tDestination\t") {
			continue
		}
		f := strings.Fields(line) // Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
		if i == 0 || len(f) != 11 {
			return nil, errTable
		}
		numbers, ok := hexNumbers(f[1], f[2], f[7])
		flags, flagsErr := strconv.ParseUint(f[3], 16, 32)
		metric, metricErr := strconv.ParseInt(f[6], 10, 32) // the kernel writes it with a sign
		if !ok || flagsErr != nil || metricErr != nil || !isLink(f[0]) {
			return nil, errTable
		}
		if destination, mask := numbers[0], numbers[2]; destination != 0 || mask != 0 || flags&routeUp == 0 || flags&routeReject != 0 {
			continue
		}
		var gateway [4]byte
		order.PutUint32(gateway[:], numbers[1])
		routes.Routes = append(routes.Routes, defaultRoute(f[0], netip.AddrFrom4(gateway), uint32(metric)))
	}
	return ordered(routes), nil
}

// parseIPv6Routes returns the default routes in /proc/net/ipv6_route, where addresses are written byte by byte. An empty
// table is one without routes.
func parseIPv6Routes(content []byte) (*wire.RouteList, error) {
	table, err := lines(content)
	if err != nil {
		return nil, err
	}
	routes := new(wire.RouteList)
	for _, line := range table {
		f := strings.Fields(line) // destination its-prefix source its-prefix gateway metric refcnt use flags interface
		if len(f) != 10 {
			return nil, errTable
		}
		destination, ok1 := hexAddress(f[0])
		gateway, ok2 := hexAddress(f[4])
		length, lengthErr := strconv.ParseUint(f[1], 16, 8)
		metric, metricErr := strconv.ParseUint(f[5], 16, 32)
		flags, flagsErr := strconv.ParseUint(f[8], 16, 32)
		if !ok1 || !ok2 || lengthErr != nil || length > 128 || metricErr != nil || flagsErr != nil || !isLink(f[9]) {
			return nil, errTable
		}
		if !destination.IsUnspecified() || length != 0 || flags&routeUp == 0 || flags&routeReject != 0 || f[9] == "lo" {
			continue
		}
		routes.Routes = append(routes.Routes, defaultRoute(f[9], gateway, uint32(metric)))
	}
	return ordered(routes), nil
}

func defaultRoute(link string, gateway netip.Addr, metric uint32) *wire.DefaultRoute {
	r := &wire.DefaultRoute{Interface: link, Metric: metric}
	if !gateway.IsUnspecified() {
		r.Gateway = gateway.String()
	}
	return r
}

// ordered puts the best route first, and leaves out what is beyond maxLinks.
func ordered(routes *wire.RouteList) *wire.RouteList {
	slices.SortStableFunc(routes.Routes, func(a, b *wire.DefaultRoute) int { return cmp.Compare(a.Metric, b.Metric) })
	routes.Routes = routes.Routes[:min(len(routes.Routes), maxLinks)]
	return routes
}

// lines returns the lines of a table. Each must have an end: what was cut off could be read as something else.
func lines(content []byte) ([]string, error) {
	if len(content) == 0 {
		return nil, nil
	}
	whole, ended := bytes.CutSuffix(content, []byte("\n"))
	if !ended {
		return nil, errTable
	}
	return strings.Split(string(whole), "\n"), nil
}

// hexNumbers reads numbers that are written with eight hexadecimal digits.
func hexNumbers(texts ...string) (numbers []uint32, ok bool) {
	for _, text := range texts {
		n, err := strconv.ParseUint(text, 16, 32)
		if err != nil || len(text) != 8 {
			return nil, false
		}
		numbers = append(numbers, uint32(n))
	}
	return numbers, true
}

// hexAddress reads an IPv6 address that is written with 32 hexadecimal digits.
func hexAddress(text string) (netip.Addr, bool) {
	var b [16]byte
	if len(text) != hex.EncodedLen(len(b)) {
		return netip.Addr{}, false
	}
	_, err := hex.Decode(b[:], []byte(text))
	return netip.AddrFrom16(b), err == nil
}

// isLink reports whether a name can be that of an interface: net/core/dev.c, dev_valid_name, and printable.
func isLink(name string) bool {
	return name != "" && len(name) < 16 && name != "." && name != ".." && !strings.ContainsAny(name, "/: ") && !strings.ContainsFunc(name, unprintable)
}
