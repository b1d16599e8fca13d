package haltest_test

import (
	"testing"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

func TestBatteryConformance(t *testing.T) {
	haltest.TestBattery(t, func(t *testing.T) haltest.BatteryBench {
		reading := &wire.Battery{
			Name: "BAT0", Status: wire.ChargeStatus_CHARGE_STATUS_CHARGING, CapacityPercent: new(uint32(40)),
			VoltageUv: new(int64(3800000)), ExternalPower: new(true),
		}
		battery := haltest.NewBattery(reading)
		return haltest.BatteryBench{
			Battery: battery,
			Want:    reading,
			Hang:    func() { battery.Fail(hal.ErrHung) },
			Garble:  func() { battery.Fail(hal.ErrUnusable) },
			Remove:  func() { battery.Fail(hal.ErrGone) },
			Restore: func() { battery.Set(reading) },
		}
	})
}
