package hal

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/uplink/wire"
)

const ipv4Header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n"

// ipv4Line writes a route as the kernel does: net/ipv4/fib_trie.c, fib_route_seq_show.
func ipv4Line(order binary.ByteOrder, link string, destination, gateway netip.Addr, flags int, metric uint32, mask netip.Addr) string {
	number := func(a netip.Addr) uint32 { b := a.As4(); return order.Uint32(b[:]) }
	line := fmt.Sprintf("%s\t%08X\t%08X\t%04X\t%d\t%d\t%d\t%08X\t%d\t%d\t%d",
		link, number(destination), number(gateway), flags, 0, 0, int32(metric), number(mask), 0, 0, 0)
	return fmt.Sprintf("%-127s\n", line)
}

// ipv6Line writes a route as the kernel does: net/ipv6/ip6_fib.c, ipv6_route_native_seq_show.
func ipv6Line(link string, destination netip.Prefix, gateway netip.Addr, flags int, metric uint32) string {
	text := func(a netip.Addr) string { return fmt.Sprintf("%x", a.As16()) }
	return fmt.Sprintf("%s %02x %s %02x %s %08x %08x %08x %08x %8s\n",
		text(destination.Addr()), destination.Bits(), text(netip.IPv6Unspecified()), 0, text(gateway), metric, 1, 0, flags, link)
}

// random addresses; one in three is none.
func randomIPv4(rng *rand.Rand) netip.Addr {
	if rng.IntN(3) == 0 {
		return netip.IPv4Unspecified()
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, rng.Uint32())))
}

func randomIPv6(rng *rand.Rand) netip.Addr {
	if rng.IntN(3) == 0 {
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, rng.Uint64()), rng.Uint64())))
}

// Tables of any routes, as kernels of both byte orders write them, say what was put in; cut off anywhere, they never say
// what was not.
func TestRouteTables(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var order binary.ByteOrder = binary.LittleEndian
		if rng.IntN(2) == 0 {
			order = binary.BigEndian
		}
		ipv4, ipv6 := ipv4Header, ""
		var want4, want6 []*wire.DefaultRoute
		for range rng.IntN(6) {
			link, flags := fmt.Sprintf("eth%d", rng.IntN(4)), []int{0x1, 0x3, 0x0, 0x201, 0x5}[rng.IntN(5)]
			metric := rng.Uint32() >> rng.IntN(32)
			destination, mask, gateway := randomIPv4(rng), randomIPv4(rng), randomIPv4(rng)
			ipv4 += ipv4Line(order, link, destination, gateway, flags, metric, mask)
			good := flags&0x201 == 1
			if destination.IsUnspecified() && mask.IsUnspecified() && good {
				want4 = append(want4, defaultRoute(link, gateway, metric))
			}
			to, via := netip.PrefixFrom(randomIPv6(rng), rng.IntN(2)*64), randomIPv6(rng)
			ipv6 += ipv6Line(link, to, via, flags, metric)
			if to.Addr().IsUnspecified() && to.Bits() == 0 && good {
				want6 = append(want6, defaultRoute(link, via, metric))
			}
		}
		for _, family := range []struct {
			name, table string
			want        []*wire.DefaultRoute
			parse       func(string) (*wire.RouteList, error)
		}{
			{"IPv4", ipv4, want4, func(s string) (*wire.RouteList, error) { return parseIPv4Routes([]byte(s), order) }},
			{"IPv6", ipv6, want6, func(s string) (*wire.RouteList, error) { return parseIPv6Routes([]byte(s)) }},
		} {
			slices.SortStableFunc(family.want, func(a, b *wire.DefaultRoute) int { return cmp.Compare(a.Metric, b.Metric) })
			got, err := family.parse(family.table)
			if err != nil {
				t.Fatalf("%s: %v in\n%s", family.name, err, family.table)
			}
			if diff := gocmp.Diff(family.want, got.Routes, protocmp.Transform()); diff != "" {
				t.Fatalf("%s: routes differ (-want +got):\n%s\n%s", family.name, diff, family.table)
			}
			cut := family.table[:rng.IntN(len(family.table)+1)]
			part, err := family.parse(cut)
			for _, r := range part.GetRoutes() {
				whole := slices.ContainsFunc(family.want, func(w *wire.DefaultRoute) bool { return gocmp.Equal(w, r, protocmp.Transform()) })
				if err == nil && !whole {
					t.Fatalf("%s: cut after %d bytes it has %v in\n%s", family.name, len(cut), r, family.table)
				}
			}
		}
	}
}

// A line that is not the kernel's makes the table unknown, whatever else is in it.
func TestMalformedRouteTables(t *testing.T) {
	good := ipv4Line(binary.LittleEndian, "eth0", netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{192, 0, 2, 1}), 3, 0, netip.IPv4Unspecified())
	for name, table := range map[string]string{
		"nothing":             "",
		"no header":           good,
		"empty line":          ipv4Header + "\n" + good,
		"too few fields":      ipv4Header + "eth0\t00000000\t010200C0\t0003\n",
		"too many fields":     ipv4Header + strings.TrimSpace(good) + "\t0\n",
		"short destination":   ipv4Header + strings.Replace(good, "00000000", "0", 1),
		"long gateway":        ipv4Header + strings.Replace(good, "010200C0", "0010200C0", 1),
		"gateway in decimals": ipv4Header + strings.Replace(good, "010200C0", "192.0.2.1", 1),
		"metric too large":    ipv4Header + strings.Replace(good, "\t0\t0\t0\t", "\t0\t0\t4294967296\t", 1),
		"no end":              ipv4Header + strings.TrimSpace(good),
		"flags of words":      ipv4Header + strings.Replace(good, "0003", "UG", 1),
		"name too long":       ipv4Header + strings.Replace(good, "eth0", "interface0123456", 1),
		"name of a path":      ipv4Header + strings.Replace(good, "eth0", "../eth0", 1),
		"name not printable":  ipv4Header + strings.Replace(good, "eth0", "eth\x1b0", 1),
		"NUL":                 ipv4Header + good + "\x00",
		"another table":       "sl  local_address rem_address   st\n",
		"IPv6's":              ipv6Line("eth0", netip.PrefixFrom(netip.IPv6Unspecified(), 0), netip.IPv6Unspecified(), 1, 0),
	} {
		if routes, err := parseIPv4Routes([]byte(table), binary.LittleEndian); err == nil {
			t.Errorf("%s: it has %d routes", name, len(routes.Routes))
		}
	}
	good = ipv6Line("eth0", netip.PrefixFrom(netip.IPv6Unspecified(), 0), netip.IPv6Unspecified(), 1, 0)
	for name, table := range map[string]string{
		"short address":  good[1:],
		"prefix too big": strings.Replace(good, " 00 ", " 81 ", 1),
		"no interface":   strings.Replace(good, "eth0", "", 1),
		"no end":         strings.TrimSuffix(good, "\n"),
		"empty line":     good + "\n\n",
		"IPv4's":         ipv4Header,
	} {
		if routes, err := parseIPv6Routes([]byte(table)); err == nil {
			t.Errorf("%s: it has %d routes", name, len(routes.Routes))
		}
	}
}

// FuzzNetwork: whatever the tables hold, what is made of them is in range; and what was read of a table of routes can be
// written as one and read again.
func FuzzNetwork(f *testing.F) {
	f.Add([]byte(ipv4Header + ipv4Line(binary.LittleEndian, "eth0", netip.IPv4Unspecified(), netip.IPv4Unspecified(), 1, 7, netip.IPv4Unspecified())))
	f.Add([]byte(ipv6Line("wwan0", netip.PrefixFrom(netip.IPv6Unspecified(), 0), netip.IPv6Unspecified(), 3, 7)))
	f.Add([]byte("20010db8000000000000000000000003 09 40 00 84 rmnet_data0\n"))
	f.Add([]byte("nameserver 192.0.2.1\nnameserver fe80::1%eth0\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			if routes, err := parseIPv4Routes(content, order); err == nil {
				again := ipv4Header
				for _, r := range routes.Routes {
					gateway, none := checkRoute(t, r), netip.IPv4Unspecified()
					if !gateway.IsValid() {
						gateway = none
					}
					again += ipv4Line(order, r.Interface, none, gateway, 1, r.Metric, none)
				}
				got, err := parseIPv4Routes([]byte(again), order)
				if diff := gocmp.Diff(routes, got, protocmp.Transform()); diff != "" || err != nil {
					t.Fatalf("written and read again (%v):\n%s", err, diff)
				}
			}
		}
		if routes, err := parseIPv6Routes(content); err == nil {
			again := ""
			for _, r := range routes.Routes {
				gateway, none := checkRoute(t, r), netip.IPv6Unspecified()
				if !gateway.IsValid() {
					gateway = none
				}
				again += ipv6Line(r.Interface, netip.PrefixFrom(none, 0), gateway, 1, r.Metric)
			}
			got, err := parseIPv6Routes([]byte(again))
			if diff := gocmp.Diff(routes, got, protocmp.Transform()); diff != "" || err != nil {
				t.Fatalf("written and read again (%v):\n%s", err, diff)
			}
		}
		addresses, _ := parseIPv6Addresses(content)
		for link, list := range addresses {
			for _, a := range list {
				if !a.IsValid() || !isLink(link) {
					t.Fatalf("%q has %v", link, a)
				}
			}
		}
		servers, _ := parseResolver(content)
		for _, s := range servers {
			if !s.IsValid() || len(s.String()) > 2*maxText || strings.ContainsFunc(s.String(), unprintable) {
				t.Fatalf("%q is a server", s)
			}
		}
	})
}

// checkRoute holds a route to the schema, and returns its gateway.
func checkRoute(t *testing.T, r *wire.DefaultRoute) netip.Addr {
	t.Helper()
	gateway, err := netip.ParseAddr(r.Gateway)
	if !isLink(r.Interface) || r.Gateway != "" && err != nil {
		t.Fatalf("a route is %v", r)
	}
	return gateway
}
