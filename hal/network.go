package hal

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// maxLinks is how many interfaces, and default routes of a family, are told.
	maxLinks = 16
	// maxNetworkFile is the most that is read of a kernel's table or of a resolver's file, in bytes. A longer one is not
	// believed: half a table does not say what is not in it.
	maxNetworkFile = 256 << 10
)

// errTooLong means that a file is longer than it can be.
var errTooLong = errors.New("too long")

// networking reads how the terminal is connected, each part on its own: one that fails or hangs is unknown, and no other is.
// It is safe for concurrent use.
type networking struct {
	sysRoot, procRoot, root string
	addresses               func() (map[string][]string, error)

	links *bounded[*wire.LinkList]
	names *bounded[*wire.NameServers]
}

func newNetwork(p Profile) *networking {
	n := &networking{
		sysRoot: p.SysRoot, procRoot: p.ProcRoot, root: cmp.Or(p.Root, "/"),
		addresses: p.Addresses,
		links:     newBounded[*wire.LinkList](hostLimit),
		names:     newBounded[*wire.NameServers](hostLimit),
	}
	if n.addresses == nil {
		n.addresses = kernelAddresses
	}
	return n
}

// Network reads interfaces, addresses, default routes and name servers, within a second. What can't be read, or is not what
// the kernel writes, is unset. The caller owns the reading.
func (b *Board) Network(ctx context.Context) *wire.NetworkStatus {
	s := new(wire.NetworkStatus)
	var parts sync.WaitGroup
	parts.Go(func() { s.Links = b.network.readLinks(ctx) })
	parts.Go(func() { s.Ipv4Routes, s.Ipv6Routes = b.DefaultRoutes(ctx) })
	parts.Go(func() { s.NameServers = b.network.readNames(ctx) })
	parts.Wait()
	return s
}

// DefaultRoutes reads the default routes of both families, each the one with the lowest metric first. Nil means unknown. The
// caller owns them.
//
// Only the kernel's main table is read. Where policy routing has each network in a table of its own, as on Android, there
// is no default route in it.
//
// The tables are in the kernel's memory: no hardware is waited for, and so no limit is needed, whose goroutine would wake a
// thread or two at each look.
func (b *Board) DefaultRoutes(ctx context.Context) (ipv4, ipv6 *wire.RouteList) {
	if ctx.Err() != nil {
		return nil, nil
	}
	ipv4, _ = b.network.ipv4Routes() // nil when unknown
	ipv6, _ = b.network.ipv6Routes()
	return ipv4, ipv6
}

func (n *networking) readLinks(ctx context.Context) *wire.LinkList {
	return own(n.links.do(ctx, netClass, n.list))
}

func (n *networking) readNames(ctx context.Context) *wire.NameServers {
	return own(n.names.do(ctx, "resolver", n.nameServers))
}

// own returns a copy for one of those who share a read, or nil when it failed.
func own[M interface {
	comparable
	proto.Message
}](m M, err error) (mine M) {
	if none := mine; err != nil || m == none {
		return none
	}
	return proto.CloneOf(m)
}

// readFile returns what is in a file, if that is no more than maxNetworkFile.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxNetworkFile+1))
	if err == nil && len(content) > maxNetworkFile {
		err = errTooLong
	}
	return content, err
}

// readTable returns a table of procfs by its name below net. Of IPv6, a table that is not there while IPv4's is means that
// the kernel does without: the table is empty.
func (n *networking) readTable(name string) ([]byte, error) {
	content, err := readFile(filepath.Join(n.procRoot, "net", name))
	if errors.Is(err, os.ErrNotExist) && name != ipv4Table {
		if _, err := os.Stat(filepath.Join(n.procRoot, "net", ipv4Table)); err == nil {
			return nil, nil
		}
	}
	return content, err
}
