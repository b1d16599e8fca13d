package blocktest_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// The same terminal reads the same, and another one does not.
func TestTerminalDeterministic(t *testing.T) {
	read := func(seed, number uint64) []*wire.Event {
		terminal := blocktest.New(blocktest.Options{Seed: seed, Number: number, Jitter: blocktest.Jitter})
		var events []*wire.Event
		for range 200 {
			events = append(events, terminal.Round()...)
		}
		return events
	}
	one, again := read(1, 2), read(1, 2)
	for i := range one {
		if !proto.Equal(one[i], again[i]) {
			t.Fatalf("event %d differs: %v and %v", i, one[i], again[i])
		}
	}
	for _, other := range [][]*wire.Event{read(1, 3), read(2, 2)} {
		if proto.Equal(one[0], other[0]) {
			t.Errorf("another terminal has the same reading: %v", one[0])
		}
	}
}

// Each kind is there once a round, at a time that is its own or not, never before the last one.
func TestTerminalTimes(t *testing.T) {
	for times, distinct := range map[blocktest.Times]int{
		blocktest.TimesByRound: 1, blocktest.TimesByReading: 4, blocktest.TimesByKind: 4,
	} {
		start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		terminal := blocktest.New(blocktest.Options{Start: start, Every: time.Minute, Jitter: 0.25, Times: times})
		var last, spread int64
		for round := range 300 {
			kinds, at := make(map[protoreflect.Name]bool), make(map[int64]bool)
			due := start.Add(time.Duration(round) * time.Minute).UnixMilli()
			for _, e := range terminal.Round() {
				kinds[e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().Get(0)).Name()] = true
				wall := e.Clock.GetWallUnixMs()
				at[wall] = true
				if late := wall - due; late < 0 || late > 15_500 {
					t.Errorf("round %d is %d ms late", round, late)
				} else {
					spread = max(spread, late)
				}
				if e.Clock.GetBootMs() < last {
					t.Errorf("round %d: time since boot runs backward", round)
				}
				last = e.Clock.GetBootMs()
			}
			if len(kinds) != 4 || len(at) > distinct || distinct == 1 && len(at) != 1 {
				t.Errorf("round %d has %d kinds at %d times", round, len(kinds), len(at))
			}
		}
		if spread < 14_000 {
			t.Errorf("no round in 300 was later than %d ms, want up to 15,000", spread)
		}
	}
}

// There are 27 values that change in a shop's day, and they stay within what the schema allows.
func TestTerminalValues(t *testing.T) {
	changed := make(map[string]bool)
	for number := range uint64(30) {
		terminal := blocktest.New(blocktest.Options{Number: number, Jitter: blocktest.Jitter})
		first := make(map[string]string)
		for range 300 {
			for _, e := range terminal.Round() {
				e.ProtoReflect().Range(func(kind protoreflect.FieldDescriptor, body protoreflect.Value) bool {
					body.Message().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
						name := string(kind.Name()) + "." + string(fd.Name())
						if text, ok := first[name]; ok && text != v.String() && kind.Name() != "clock" {
							changed[name] = true
						} else if !ok {
							first[name] = v.String()
						}
						return true
					})
					return true
				})
				checkRanges(t, e)
			}
		}
	}
	// 25 of them, and registration and technology, which are measured and seldom change.
	for _, state := range []string{"battery.status", "battery.external_power"} {
		delete(changed, state)
	}
	if len(changed) != 25 {
		t.Errorf("%d values change: %v", len(changed), changed)
	}
}

// checkRanges checks the ranges that the schema gives (uplink/wire/telemetry.proto).
func checkRanges(t *testing.T, e *wire.Event) {
	t.Helper()
	within := func(name string, v, low, high int64) {
		if v < low || v > high {
			t.Errorf("%s is %d, want %d to %d", name, v, low, high)
		}
	}
	if b := e.GetBattery(); b != nil {
		within("capacity", int64(b.GetCapacityPercent()), 0, 100)
		within("voltage", b.GetVoltageUv(), 3_000_000, 4_400_000)
		within("current", b.GetCurrentUa(), -3_000_000, 3_000_000)
		within("temperature", int64(b.GetTemperatureDecicelsius()), -400, 1250)
	}
	if m := e.GetModem(); m != nil {
		within("RSSI", int64(m.GetRssiDbm()), -140, -20)
		within("RSRP", int64(m.GetRsrpDecidbm()), -1560, -310)
		within("RSRQ", int64(m.GetRsrqDecidb()), -430, 200)
		within("SINR", int64(m.GetSinrDecidb()), -230, 400)
		within("area", int64(m.GetAreaCode()), 0, 1<<24-1)
		within("cell", int64(m.GetCellId()), 0, 1<<36-1)
	}
	if h := e.GetHost(); h != nil {
		within("CPU", int64(h.GetCpuCentipercent()), 0, 10_000)
		within("memory", int64(h.GetMemoryAvailableBytes()), 1, int64(h.GetMemoryTotalBytes()))
		within("disk", int64(h.GetDiskFreeBytes()), 1, int64(h.GetDiskTotalBytes()))
		within("temperature", int64(h.GetTemperatureDecicelsius()), -400, 1500)
		within("processes", int64(h.GetProcesses()), 1, 1000)
	}
	if a := e.GetAppPerformance(); a != nil {
		within("threads", int64(a.GetThreads()), 1, 1000)
		within("files", int64(a.GetOpenFiles()), 0, 1000)
	}
}
