package hal

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// ipv6Addresses is a table of procfs, below net: net/ipv6/addrconf.c, if6_seq_show.
const ipv6Addresses = "if_inet6"

// Flags of IPv6 addresses: include/uapi/linux/if_addr.h.
const (
	addressOptimistic = 0x04 // may be used while it is checked (RFC 4429)
	addressFailed     = 0x08 // another machine has it
	addressTentative  = 0x40 // it is being checked whether another machine has it
)

// kernelAddresses asks the kernel for the IPv4 addresses of all interfaces, by netlink. No file has them by interface:
// fib_trie knows addresses alone, and which interface a point-to-point one is of can't be told from the routes.
func kernelAddresses() (map[string][]string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	for _, l := range links {
		addresses, err := l.Addrs()
		if err != nil {
			continue // unknown
		}
		own := []string{}
		for _, a := range addresses {
			own = append(own, a.String())
		}
		all[l.Name] = own
	}
	return all, nil
}

// address is one address of an interface.
type address struct {
	netip.Prefix
	unusable bool // the kernel says so
}

// works reports whether an address works beyond its link.
func (a address) works() bool {
	return !a.unusable && a.Addr().IsGlobalUnicast() && !a.Addr().IsLinkLocalUnicast()
}

// addressed puts the addresses of a family into a link, and returns whether one of them works.
func addressed(l *wire.LinkStatus, addresses []address) *bool {
	works := false
	for _, a := range addresses {
		if len(l.Addresses) < maxLinks {
			l.Addresses = append(l.Addresses, a.String())
		}
		works = works || a.works()
	}
	return &works
}

// readAddresses returns the addresses of both families by interface. A nil map means that they are unknown.
func (n *networking) readAddresses() (ipv4, ipv6 map[string][]address) {
	if texts, err := n.addresses(); err == nil {
		ipv4 = make(map[string][]address)
		for link, list := range texts {
			ipv4[link] = []address{}
			for _, text := range list {
				if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is4() {
					ipv4[link] = append(ipv4[link], address{Prefix: p})
				}
			}
		}
	}
	if content, err := n.readTable(ipv6Addresses); err == nil {
		ipv6, _ = parseIPv6Addresses(content)
	}
	return ipv4, ipv6
}

// parseIPv6Addresses returns the addresses in /proc/net/if_inet6 by interface. A line that can't be read makes all of them
// unknown.
func parseIPv6Addresses(content []byte) (map[string][]address, error) {
	table, err := lines(content)
	if err != nil {
		return nil, err
	}
	all := make(map[string][]address)
	for _, line := range table {
		f := strings.Fields(line) // address index prefix scope flags interface
		if len(f) != 6 {
			return nil, errTable
		}
		a, ok := hexAddress(f[0])
		length, lengthErr := strconv.ParseUint(f[2], 16, 8)
		flags, flagsErr := strconv.ParseUint(f[4], 16, 8)
		if !ok || lengthErr != nil || length > 128 || flagsErr != nil || !isLink(f[5]) {
			return nil, errTable
		}
		checking := flags&addressTentative != 0 && flags&addressOptimistic == 0
		all[f[5]] = append(all[f[5]], address{
			Prefix: netip.PrefixFrom(a, int(length)), unusable: checking || flags&addressFailed != 0,
		})
	}
	return all, nil
}
