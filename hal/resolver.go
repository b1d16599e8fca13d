package hal

import (
	"bytes"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// resolverFile is what resolvers read, below the root: resolv.conf(5).
	resolverFile = "etc/resolv.conf"
	// upstreamFile has the servers that systemd-resolved asks: systemd-resolved.service(8).
	upstreamFile = "run/systemd/resolve/resolv.conf"
	// maxAsked is how many servers of resolverFile a resolver asks: MAXNS in resolv.conf(5).
	maxAsked = 3
	// maxServers is how many servers are told that are behind a stub.
	maxServers = 8
)

// errResolver means that a file is none of a resolver's.
var errResolver = errors.New("not a resolver's file")

// stubs are the addresses of systemd-resolved on the terminal itself.
var stubs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 53}), netip.AddrFrom4([4]byte{127, 0, 0, 54})}

// nameServers reads who is asked for names.
func (n *networking) nameServers() (*wire.NameServers, error) {
	content, err := readFile(filepath.Join(n.root, resolverFile))
	if err != nil {
		return nil, err
	}
	asked, err := parseResolver(content)
	if err != nil {
		return nil, err
	}
	servers := &wire.NameServers{Addresses: texts(asked, maxAsked)}
	if len(asked) == 0 || asked[0] != stubs[0] && asked[0] != stubs[1] {
		return servers, nil
	}
	servers.Stub = true
	content, err = readFile(filepath.Join(n.root, upstreamFile))
	if err != nil {
		return servers, nil
	}
	if behind, err := parseResolver(content); err == nil && len(behind) > 0 {
		servers.Addresses = texts(behind, maxServers)
	}
	return servers, nil
}

// parseResolver returns the servers that a resolver's file names. It reads the file as resolvers do: lines that they don't
// know are passed over. When there are servers and none of them is an address, nothing is known.
func parseResolver(content []byte) ([]netip.Addr, error) {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil, errResolver
	}
	var servers []netip.Addr
	named := false
	for line := range strings.Lines(string(content)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "nameserver" {
			continue
		}
		named = true
		if len(f) == 1 {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && len(f[1]) <= maxText && !strings.ContainsFunc(f[1], unprintable) {
			servers = append(servers, a)
		}
	}
	if named && len(servers) == 0 {
		return nil, errResolver
	}
	return servers, nil
}

// texts writes the first few addresses.
func texts(addresses []netip.Addr, most int) []string {
	var list []string
	for _, a := range addresses[:min(len(addresses), most)] {
		list = append(list, a.String())
	}
	return list
}
