package hal_test

import (
	"testing"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
)

// A modem that is dialled has a link and no device; of what has neither hardware nor a modem, the bytes go over another.
func TestInterfacesWithoutDevice(t *testing.T) {
	sys := t.TempDir()
	tree, err := haltest.ParseTree([]byte(`-- class/net/eth0/device/uevent --
-- class/net/eth0/type --
1
-- class/net/eth0/statistics/rx_bytes --
5
-- class/net/ppp0/type --
512
-- class/net/ppp0/statistics/rx_bytes --
7
-- class/net/br0/type --
1
-- class/net/tun0/type --
65534
-- class/net/odd0/type --
x
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Write(sys); err != nil {
		t.Fatal(err)
	}
	board := hal.Open(hal.Profile{SysRoot: sys, ProcRoot: t.TempDir(), SystemBus: hal.NoBus})
	defer board.Close()
	got := map[string]uint64{}
	for _, r := range board.Interfaces(t.Context()) {
		got[r.GetName()] = r.GetReceivedBytes()
	}
	if len(got) != 2 || got["eth0"] != 5 || got["ppp0"] != 7 {
		t.Errorf("interfaces and their bytes: %v, want eth0 with 5 and ppp0 with 7", got)
	}
}
