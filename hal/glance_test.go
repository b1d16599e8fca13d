package hal_test

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// stateOf returns what of a reading is to be told at once when it changes.
func stateOf(r *wire.Battery) *wire.Battery {
	return &wire.Battery{
		Name: r.Name, Status: r.Status, CapacityPercent: r.CapacityPercent, Health: r.Health,
		TemperatureDecicelsius: r.TemperatureDecicelsius, ExternalPower: r.ExternalPower,
	}
}

// A glance sees what a reading has of the state, for the batteries of every terminal there is a tree of.
func TestGlance(t *testing.T) {
	for _, name := range []string{
		"healthy", "energy", "two-batteries", "inverted", "garbage", "mains-only", "faults", "bare", "pinephone", "pinebook-pro",
		"msm8953-handheld", "beaglebone-black", "raspberry-pi-4",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tree := readTree(t, name)
				defer tree.Remove(class) // lets go of what hangs
				for _, battery := range batteries(t, hal.NewPowerSupply(tree)) {
					reading, failed := battery.Read(t.Context())
					seen, err := battery.(interface {
						Glance(context.Context) (*wire.Battery, error)
					}).Glance(t.Context())
					if (err == nil) != (failed == nil) {
						t.Errorf("%s: glance fails with %v, reading with %v", battery.Name(), err, failed)
					}
					if err != nil {
						continue
					}
					if diff := cmp.Diff(stateOf(reading), stateOf(seen), protocmp.Transform()); diff != "" {
						t.Errorf("%s: a glance differs from a reading (-want +got):\n%s", battery.Name(), diff)
					}
				}
			})
		})
	}
}

// counting is a tree that keeps the names of the attributes that were read.
type counting struct {
	fs.FS
	read []string
}

func (c *counting) ReadFile(name string) ([]byte, error) {
	c.read = append(c.read, path.Base(name))
	return fs.ReadFile(c.FS, name)
}

// The second glance reads little, and nothing that costs a gauge a measurement that nobody asked for.
func TestGlanceReadsLittle(t *testing.T) {
	tree := &counting{FS: readTree(t, "healthy")}
	p := hal.NewPowerSupply(tree)
	for range 2 {
		tree.read = nil
		battery := batteries(t, p)[0].(interface {
			Glance(context.Context) (*wire.Battery, error)
		})
		if _, err := battery.Glance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(tree.read)
	if got := strings.Join(tree.read, " "); strings.Contains(got, "voltage") || strings.Contains(got, "current") || len(tree.read) > 7 {
		t.Errorf("it reads %s", got)
	}
}

// A board is looked at with the drivers that can, and read with the others. Both notice what is gone.
func TestBoardGlance(t *testing.T) {
	profile := haltest.NewBattery(&wire.Battery{Name: "gauge", VoltageUv: new(int64(3_900_000))})
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{profile}})
	defer board.Close()
	seen := board.Glance(t.Context())
	if len(seen) != 1 || seen[0].GetVoltageUv() != 3_900_000 {
		t.Errorf("it sees %v, want what the driver reads", seen)
	}
	profile.Fail(hal.ErrGone)
	if seen := board.Glance(t.Context()); len(seen) != 0 {
		t.Errorf("it sees %v of what is gone", seen)
	}
	if i := slices.IndexFunc(board.Found(), func(p hal.Part) bool { return p.Name == "battery/gauge" && !p.OK }); i < 0 {
		t.Errorf("what is gone is found: %v", board.Found())
	}
}
