package hal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// boardTree is a board's sysfs, and what is read of it.
type boardTree struct {
	name    string
	cmdline string
	host    *wire.Host // what is not from procfs
	battery *wire.Battery
	links   []*wire.NetworkInterface
}

var boardTrees = []boardTree{
	{
		name: "raspberry-pi-4", cmdline: "console=serial0,115200 root=/dev/mmcblk0p2",
		host: &wire.Host{
			CpuLimitPercent: new(uint32(66)), CoolersActive: new(uint32(2)), WatchdogArmed: new(true), WatchdogTimeoutSeconds: new(uint32(15)),
			TemperatureDecicelsius: new(int32(813)),
		},
		links: []*wire.NetworkInterface{{
			Name: "eth0", Carrier: new(true), ReceivedBytes: new(uint64(48211904)), SentBytes: new(uint64(9120331)), ReceiveErrors: new(uint64(0)),
			SendErrors: new(uint64(0)), ReceiveDropped: new(uint64(17)), SendDropped: new(uint64(0)), CarrierChanges: new(uint64(2)),
		}, {
			Name: "wlan0", ReceivedBytes: new(uint64(0)), SentBytes: new(uint64(0)), CarrierChanges: new(uint64(1)),
		}},
	},
	{
		name: "beaglebone-black", cmdline: "console=ttyS0,115200n8",
		host: &wire.Host{
			EmmcLifeA: new(uint32(1)), EmmcLifeB: new(uint32(2)), EmmcPreEol: new(uint32(1)), CpuLimitPercent: new(uint32(100)),
			ResetReason: wire.ResetReason_RESET_REASON_WATCHDOG, WatchdogArmed: new(false), WatchdogTimeoutSeconds: new(uint32(60)),
		},
		links: []*wire.NetworkInterface{{Name: "eth0", Carrier: new(false), CarrierChanges: new(uint64(5))}},
	},
	{
		name: "pinephone",
		host: &wire.Host{
			EmmcLifeA: new(uint32(2)), EmmcLifeB: new(uint32(1)), EmmcPreEol: new(uint32(1)), CpuLimitPercent: new(uint32(56)),
			CoolersActive: new(uint32(0)),
		},
		battery: &wire.Battery{
			Name: "axp20x-battery", Status: discharging, CapacityPercent: new(uint32(64)), VoltageUv: new(int64(3811000)),
			CurrentUa: new(int64(-312000)), Health: "Good", ExternalPower: new(false),
		},
	},
	{
		name: "pinebook-pro",
		host: &wire.Host{
			EmmcLifeA: new(uint32(1)), EmmcLifeB: new(uint32(1)), EmmcPreEol: new(uint32(1)), CpuLimitPercent: new(uint32(100)),
		},
		battery: &wire.Battery{
			Name: "cw2015-battery", Status: notCharging, CapacityPercent: new(uint32(93)), VoltageUv: new(int64(4233000)),
			CurrentUa: new(int64(0)), ChargeFullUah: new(int64(9800000)), ChargeFullDesignUah: new(int64(9800000)),
			HealthPercent: new(uint32(100)), Cycles: new(uint32(31)), ExternalPower: new(true),
		},
	},
	{
		name: "imx8mm-evk",
		host: &wire.Host{
			EmmcLifeA: new(uint32(10)), EmmcLifeB: new(uint32(11)), EmmcPreEol: new(uint32(3)), CpuLimitPercent: new(uint32(88)),
			ResetReason: wire.ResetReason_RESET_REASON_WATCHDOG, WatchdogArmed: new(true), WatchdogTimeoutSeconds: new(uint32(60)),
		},
		links: []*wire.NetworkInterface{{Name: "eth0", Carrier: new(true)}},
	},
	{
		name: "sama5d27-som1",
		host: &wire.Host{
			ResetReason: wire.ResetReason_RESET_REASON_BROWNOUT, WatchdogArmed: new(false), WatchdogTimeoutSeconds: new(uint32(16)),
		},
		links: []*wire.NetworkInterface{{Name: "eth0", Carrier: new(true)}},
	},
	{
		name: "msm8953-handheld", cmdline: "androidboot.hardware=qcom androidboot.bootreason=kernel_panic,BUG quiet",
		host: &wire.Host{
			EmmcLifeA: new(uint32(3)), EmmcLifeB: new(uint32(2)), EmmcPreEol: new(uint32(2)), CpuLimitPercent: new(uint32(51)),
			CoolersActive: new(uint32(1)), ResetReason: wire.ResetReason_RESET_REASON_CRASH,
		},
		battery: &wire.Battery{ // whose current has the wrong sign, and is left out
			Name: "battery", Status: discharging, CapacityPercent: new(uint32(38)), VoltageUv: new(int64(3702341)),
			TemperatureDecicelsius: new(int32(334)), ChargeFullUah: new(int64(4511000)), ChargeFullDesignUah: new(int64(5000000)),
			HealthPercent: new(uint32(90)), Cycles: new(uint32(388)), Health: "Good", ExternalPower: new(false),
		},
	},
}

func TestBoardTrees(t *testing.T) {
	for _, b := range boardTrees {
		t.Run(b.name, func(t *testing.T) {
			sys, proc := t.TempDir(), t.TempDir()
			tree, err := haltest.ReadTree(filepath.Join("../testdata/sys", b.name+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Write(sys); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(proc, "cmdline"), []byte(b.cmdline+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			board := hal.Open(hal.Profile{SysRoot: sys, ProcRoot: proc, SystemBus: hal.NoBus})
			defer board.Close()
			host := proto.CloneOf(board.Host(t.Context()))
			host.DiskTotalBytes, host.DiskFreeBytes, host.UptimeSeconds, host.Load1Centi = nil, nil, nil, nil // this machine's
			if diff := cmp.Diff(b.host, host, protocmp.Transform()); diff != "" {
				t.Errorf("host differs (-want +got):\n%s", diff)
			}
			var want []*wire.Battery
			if b.battery != nil {
				want = append(want, b.battery)
			}
			if diff := cmp.Diff(want, board.Batteries(t.Context()), protocmp.Transform()); diff != "" {
				t.Errorf("batteries differ (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(b.links, board.Interfaces(t.Context()), protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("interfaces differ (-want +got):\n%s", diff)
			}
		})
	}
}
