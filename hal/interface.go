package hal

import (
	"context"
	"io/fs"
	"path"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// netClass is where the kernel lists network interfaces, under the root of sysfs: Documentation/ABI/testing/sysfs-class-net.
	netClass = "class/net"
	// maxInterfaces is how many interfaces are read. No terminal has so many; one that makes up names must not fill the queue.
	maxInterfaces = 8
	// maxCounter is the most that a counter is believed: 10 TB. A longer number is a mistake, or could be taken for a card's.
	maxCounter = 1e13 - 1
)

// Interfaces reads every network interface that has hardware behind it, in the order of their names, ppp0 of a modem among
// them: none of bridges, tunnels and the like, whose bytes go over one of the others. The caller owns the readings.
func (b *Board) Interfaces(ctx context.Context) []*wire.NetworkInterface {
	readings, err := b.machine.links.do(ctx, netClass, func() ([]*wire.NetworkInterface, error) {
		return readInterfaces(sysfs(b.machine.sysRoot)), nil
	})
	if err != nil {
		return nil
	}
	own := make([]*wire.NetworkInterface, len(readings)) // others may have asked at the same time
	for i, r := range readings {
		own[i] = proto.CloneOf(r)
	}
	return own
}

func readInterfaces(sys fs.FS) []*wire.NetworkInterface {
	entries, err := fs.ReadDir(sys, netClass)
	if err != nil {
		return nil
	}
	var readings []*wire.NetworkInterface
	for _, e := range entries {
		dir := path.Join(netClass, e.Name())
		get := attributes(func(name string) []byte {
			content, _ := fs.ReadFile(sys, path.Join(dir, name))
			return content
		})
		if _, err := fs.Stat(sys, path.Join(dir, "device")); err != nil && !get.isPPP() || len(readings) == maxInterfaces {
			continue
		}
		readings = append(readings, get.link(cleanName(e.Name())))
	}
	return readings
}

// linkPPP is the file type of a link over a modem's tty (ARPHRD_PPP, include/uapi/linux/if_arp.h), which has no device.
const linkPPP = 512

// isPPP reports whether it is such a link.
func (get attributes) isPPP() bool {
	kind := get.number("type", 0, 1<<16)
	return kind != nil && *kind == linkPPP
}

// link reads what the schema has of an interface.
func (get attributes) link(name string) *wire.NetworkInterface {
	reading := &wire.NetworkInterface{
		Name:           name,
		ReceivedBytes:  get.count("statistics/rx_bytes"),
		SentBytes:      get.count("statistics/tx_bytes"),
		ReceiveErrors:  get.count("statistics/rx_errors"),
		SendErrors:     get.count("statistics/tx_errors"),
		ReceiveDropped: get.count("statistics/rx_dropped"),
		SendDropped:    get.count("statistics/tx_dropped"),
		CarrierChanges: get.count("carrier_changes"),
	}
	if carrier := get.number("carrier", 0, 1); carrier != nil { // reading it fails with EINVAL while the interface is down
		reading.Carrier = new(*carrier == 1)
	}
	return reading
}

// count returns a counter, or nil.
func (get attributes) count(name string) *uint64 {
	if n := get.number(name, 0, maxCounter); n != nil {
		return new(uint64(*n))
	}
	return nil
}
