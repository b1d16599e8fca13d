package parquet_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/land/parquet"
	"github.com/stampd/stampd/uplink/wire"
)

// reading returns what a terminal sends in the i-th interval: a battery, a modem and a host reading in turn.
func reading(i int, r *rand.Rand) *wire.Event {
	e := &wire.Event{Clock: &wire.Clock{
		WallUnixMs: proto.Int64(noon.UnixMilli() + int64(i)*3000 + r.Int64N(40)), BootMs: proto.Int64(1e7 + int64(i)*3000 + r.Int64N(40)),
		BootId: make([]byte, 16), Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_NTP,
	}}
	switch i % 3 {
	case 0:
		e.Body = &wire.Event_Battery{Battery: &wire.Battery{
			Name: "BAT0", Status: wire.ChargeStatus_CHARGE_STATUS_DISCHARGING, CapacityPercent: proto.Uint32(uint32(90 - i/1000%80)), VoltageUv: proto.Int64(3_800_000 + r.Int64N(20_000)),
			CurrentUa: proto.Int64(-150_000 - r.Int64N(50_000)), TemperatureDecicelsius: proto.Int32(310 + r.Int32N(10)), Health: "Good", ExternalPower: proto.Bool(false),
		}}
	case 1:
		e.Body = &wire.Event_Modem{Modem: &wire.Modem{
			Name: "ttyUSB2", Registration: proto.Uint32(1), AccessTechnology: proto.Uint32(7), Operator: "Operator", RsrpDecidbm: proto.Int32(-1000 - r.Int32N(100)),
			RsrqDecidb: proto.Int32(-100 - r.Int32N(40)), SinrDecidb: proto.Int32(r.Int32N(200)), CellId: proto.Uint64(27_447_297),
		}}
	default:
		e.Body = &wire.Event_Host{Host: &wire.Host{
			CpuCentipercent: proto.Uint32(r.Uint32N(3000)), MemoryTotalBytes: proto.Uint64(512 << 20), MemoryAvailableBytes: proto.Uint64(200<<20 + 4096*r.Uint64N(10_000)),
			DiskTotalBytes: proto.Uint64(4 << 30), DiskFreeBytes: proto.Uint64(2<<30 - 4096*uint64(i)), NetworkReceivedBytes: proto.Uint64(1_000_000 + 900*uint64(i)),
			NetworkSentBytes: proto.Uint64(500_000 + 700*uint64(i)), UptimeSeconds: proto.Uint64(10_000 + 3*uint64(i)), Processes: proto.Uint32(90 + r.Uint32N(5)),
		}}
	}
	return e
}

// BenchmarkLand lands 100,000 rows: readings in blocks of 100, or payments.
func BenchmarkLand(b *testing.B) {
	const rows = 100_000
	r := rand.New(rand.NewPCG(1, 2))
	readings, payments := newTerminal(b), newTerminal(b)
	for i := 0; i < rows; i += 1000 {
		var blocks, ledger [][]byte
		for j := range 10 {
			var events []*wire.Event
			for k := range 100 {
				events = append(events, reading(i+100*j+k, r))
			}
			blocks = append(blocks, readings.block(events...))
		}
		for j := range 1000 {
			e := reading(i+j, r)
			e.Body = &wire.Event_Payment{Payment: &wire.Payment{
				IdempotencyKey: fmt.Sprintf("pay-%016x", r.Uint64()), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AuthMode: wire.AuthMode_AUTH_MODE_ONLINE,
				AmountMinor: r.Int64N(5000), Currency: "GBP", Stan: fmt.Sprintf("%06d", (i+j)%1e6), Rrn: fmt.Sprintf("%012d", r.Int64N(1e12)),
				Card: &wire.PaymentCard{Brand: "visa", Last4: fmt.Sprintf("%04d", r.IntN(1e4))},
			}}
			ledger = append(ledger, payments.marshal(e))
		}
		readings.send(wire.Lane_LANE_TELEMETRY, noon, 0, blocks...)
		payments.send(wire.Lane_LANE_LEDGER, noon, 0, ledger...)
	}
	for name, terminal := range map[string]*terminal{"readings": readings, "payments": payments} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := int64(0)
			for b.Loop() {
				dir := b.TempDir()
				l, err := parquet.Open(parquet.Options{Log: terminal.log, Dir: dir})
				if err != nil {
					b.Fatal(err)
				}
				n, err := l.Land(b.Context(), terminal.log.Head())
				if err != nil || n != rows {
					b.Fatalf("%d rows, %v", n, err)
				}
				size = 0
				files, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
				for _, name := range files {
					if info, err := os.Stat(name); err == nil {
						size += info.Size()
					}
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(size)/rows, "B/row")
		})
	}
}
