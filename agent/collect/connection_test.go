package collect_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// crossing is a terminal whose default route a test sets.
type crossing struct {
	t    *testing.T
	root string
}

func newCrossing(t *testing.T) *crossing {
	c := &crossing{t: t, root: t.TempDir()}
	c.write("sys/class/net/wlan0/device", "")
	c.write("sys/class/net/wlan0/type", "1\n")
	c.write("sys/class/net/wlan0/uevent", "DEVTYPE=wlan\n")
	c.write("proc/net/if_inet6", "")
	c.write("etc/resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
	c.ipv6("")
	return c
}

func (c *crossing) write(name, content string) {
	c.t.Helper()
	file := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil { // a table is never half written
		c.t.Fatal(err)
	}
}

const routeHeader = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

// ipv4 sets IPv4's default route to lead over a link by the gateway 192.0.2.n. Empty is none.
func (c *crossing) ipv4(link string, n int) {
	c.t.Helper()
	table := routeHeader
	if link != "" {
		gateway := [4]byte{192, 0, 2, byte(n)}
		table += fmt.Sprintf("%s\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", link, native(gateway))
	}
	c.write("proc/net/route", table)
}

// ipv6 does so with IPv6's.
func (c *crossing) ipv6(link string) {
	c.t.Helper()
	table := ""
	if link != "" {
		table = fmt.Sprintf("%032x 00 %032x 00 fe80%028x 00000400 00000001 00000000 00000003 %8s\n", 0, 0, 1, link)
	}
	c.write("proc/net/ipv6_route", table)
}

// options returns a collector that reads the connection once and then looks for changes.
func (c *crossing) options() collect.Options {
	o := quiet()
	o.ConnectionEvery, o.BlockEvery = never, time.Hour
	o.Board = hal.Open(hal.Profile{
		Root: c.root, SysRoot: filepath.Join(c.root, "sys"), ProcRoot: filepath.Join(c.root, "proc"), SystemBus: hal.NoBus,
		Addresses: func() (map[string][]string, error) { return map[string][]string{"wlan0": {"192.0.2.20/24"}}, nil },
	})
	o.Uplink = func() *wire.UplinkStatus {
		return &wire.UplinkStatus{
			State: wire.UplinkState_UPLINK_STATE_ONLINE, RoundTripUs: new(uint32(48_731)), Retransmits: new(uint64(2)), Connects: 3,
			SinceAckMs: new(int64(61_999)), ConnectMs: new(uint32(50)), Traffic: &wire.Traffic{SentLedgerBytes: 7},
			Days: []*wire.TrafficDay{{Date: "2026-05-01"}}, Backend: "gateway.example:8443",
		}
	}
	return o
}

func connections(events []*wire.Event) (list []*wire.Connection) {
	for _, e := range events {
		if e.GetConnection() != nil {
			list = append(list, e.GetConnection())
		}
	}
	return list
}

func TestConnectionReading(t *testing.T) {
	c := newCrossing(t)
	c.ipv4("wlan0", 1)
	synctest.Test(t, func(t *testing.T) {
		o := c.options()
		o.ConnectionEvery, o.BlockEvery = 30*time.Minute, time.Minute
		b := run(t, o)
		pass(3 * time.Hour)
		b.stop()
		list := connections(b.lane.events())
		if len(list) != 7 {
			t.Errorf("%d readings in three hours, want 7", len(list))
		}
		want := &wire.Connection{
			State: wire.UplinkState_UPLINK_STATE_ONLINE, Interface: "wlan0", Link: wire.LinkKind_LINK_KIND_WIFI, DefaultRoutes: new(uint32(1)),
			Ipv4: new(true), Ipv6: new(false), NameServers: new(uint32(2)), ConnectMs: new(uint32(50)), RoundTripUs: new(uint32(48_000)),
			Retransmits: new(uint64(2)), SinceAckSeconds: new(uint64(61)), Connects: 3, Traffic: &wire.Traffic{SentLedgerBytes: 7},
		}
		if diff := cmp.Diff(want, list[0], protocmp.Transform()); diff != "" {
			t.Errorf("the reading differs (-want +got):\n%s", diff)
		}
	})
}

// What changes about the default route is told within seconds; what becomes unknown, or changes nothing, is not.
func TestConnectionChanges(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*crossing)
		told   bool
		routes *uint32
		link   string
	}{
		{"another gateway", func(c *crossing) { c.ipv4("wlan0", 7) }, true, new(uint32(1)), "wlan0"},
		{"another link", func(c *crossing) { c.ipv4("wwan0", 1) }, true, new(uint32(1)), "wwan0"},
		{"gone", func(c *crossing) { c.ipv4("", 0) }, true, new(uint32(0)), ""},
		{"IPv6 alone", func(c *crossing) { c.ipv6("wwan0"); c.ipv4("", 0) }, true, new(uint32(1)), "wwan0"},
		{"IPv6 beside it", func(c *crossing) { c.ipv6("wwan0") }, false, nil, ""},
		{"unknown", func(c *crossing) { c.write("proc/net/route", "not a table\n") }, false, nil, ""},
		{"the same", func(c *crossing) { c.ipv4("wlan0", 1) }, false, nil, ""},
		{"unknown and back", func(c *crossing) {
			c.write("proc/net/route", "")
			pass(time.Minute)
			c.ipv4("wlan0", 1)
		}, false, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrossing(t)
			c.ipv4("wlan0", 1)
			synctest.Test(t, func(t *testing.T) {
				b := run(t, c.options())
				pass(2 * time.Hour)
				before := len(connections(b.lane.events()))
				test.change(c)
				pass(11 * time.Second)
				list := connections(b.lane.events())[before:]
				b.stop()
				if before != 1 || test.told != (len(list) == 1) {
					t.Fatalf("it was told of %d times before, and %d times of the change", before, len(list))
				}
				if test.told && (list[0].GetInterface() != test.link || list[0].DefaultRoutes == nil || *list[0].DefaultRoutes != *test.routes) {
					t.Errorf("the reading is %v", list[0])
				}
			})
		})
	}
}

// A link that comes and goes does not cost a cellular bill: six times are told at once, and then one for each block.
func TestConnectionThatFlaps(t *testing.T) {
	c := newCrossing(t)
	c.ipv4("wlan0", 1)
	synctest.Test(t, func(t *testing.T) {
		b := run(t, c.options())
		pass(time.Minute)
		blocks := len(b.lane.all())
		for i := range 3 * 360 { // three hours
			link := "wlan0"
			if i%2 == 0 {
				link = ""
			}
			c.ipv4(link, 1)
			pass(10 * time.Second)
		}
		told := len(connections(b.lane.events())) - 1
		blocks = len(b.lane.all()) - blocks
		b.stop()
		if told < 6 || told > 10 || blocks > 14 {
			t.Errorf("%d changes are told in %d blocks", told, blocks)
		}
	})
}

// Without an uplink there is nothing to tell.
func TestNoConnectionWithoutAnUplink(t *testing.T) {
	c := newCrossing(t)
	c.ipv4("wlan0", 1)
	synctest.Test(t, func(t *testing.T) {
		o := c.options()
		o.Uplink = nil
		b := run(t, o)
		pass(time.Minute)
		c.ipv4("", 0)
		pass(time.Minute)
		b.stop()
		if list := connections(b.lane.events()); len(list) > 0 {
			t.Errorf("told are %v", list)
		}
	})
}

// native returns four bytes as the number that they are on this machine.
func native(b [4]byte) uint32 { return binary.NativeEndian.Uint32(b[:]) }
