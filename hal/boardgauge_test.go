package hal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stampd/stampd/hal"
)

// What the kernel lists of I²C: a gauge that it has a driver for, one that it has none for, something else, and the adapters.
const i2cTree = `
-- bus/i2c/devices/i2c-1/name --
bcm2835 (i2c@7e804000)
-- bus/i2c/devices/i2c-7/name --
CP2112 SMBus Bridge on hidraw0
-- bus/i2c/devices/1-0055/name --
bq27441
-- bus/i2c/devices/1-0055/driver/module/initstate --
live
-- bus/i2c/devices/7-000b/name --
sbs-battery
-- bus/i2c/devices/1-0050/name --
24c32
`

// Gauges are listed with the reason why they can't be read, whether the profile names them or the kernel, and never those
// that a driver of the kernel has. None of them is there: what is asked for is looked for, and nothing else is.
func TestBoardGauges(t *testing.T) {
	chip := func(name string) hal.GaugeChip {
		c, ok := hal.ChipNamed(name)
		if !ok {
			t.Fatal(name)
		}
		return c
	}
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus, Gauges: []hal.GaugeAt{
		{Chip: chip("max17048"), Bus: "/dev/i2c-991", Name: "main"},
		{Chip: chip("bq27441"), Bus: "/dev/i2c-1"},
		{Chip: chip("sbs"), Bus: "CP2112 SMBus Bridge on hidraw0"},
	}})
	defer board.Close()
	expectParts(t, "without a tree", board,
		hal.Part{Name: "battery/bq27441@i2c-1-55", Driver: "bq27441", Detail: "not there"},
		hal.Part{Name: "battery/main", Driver: "max17048", Detail: "not there"},
		hal.Part{Name: "battery/sbs@CP2112 SMBus Bridge on hidraw0-0b", Driver: "sbs", Detail: "not there"},
	)

	board = hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus})
	defer board.Close()
	expectParts(t, "nothing is known", board, hal.Part{Name: "battery", Detail: "not there"})
	writeArchive(t, i2cTree, root)
	board.Batteries(t.Context())
	expectParts(t, "from the kernel's list", board,
		hal.Part{Name: "battery/sbs@i2c-7-0b", Driver: "sbs", Detail: "not there"})

	if err := os.Mkdir(filepath.Join(root, "bus/i2c/devices/7-000b/driver"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := board.Batteries(t.Context()); len(got) != 0 {
		t.Errorf("%d batteries", len(got))
	}
}
