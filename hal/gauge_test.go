package hal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// registers are the words that a chip answers with.
type registers map[byte]uint16

// with returns the registers with some of them changed.
func (r registers) with(changes registers) registers {
	changed := maps.Clone(r)
	maps.Copy(changed, changes)
	return changed
}

// gaugeKind is a chip with registers that make sense, and what they mean.
type gaugeKind struct {
	chip    string
	address uint16
	order   binary.ByteOrder
	good    registers
	texts   map[byte]string
	want    func() *wire.Battery
}

var gaugeKinds = []gaugeKind{max17048Kind, bq27441Kind, bq27z561Kind, sbsKind}

func (k gaugeKind) gauge(t testing.TB, open func() (i2c.BusCloser, error)) *hal.Gauge {
	t.Helper()
	chip, ok := hal.ChipNamed(k.chip)
	if !ok {
		t.Fatalf("no chip %s", k.chip)
	}
	return hal.NewGauge(k.chip, chip, 0, open)
}

// put puts the chip onto a bus.
func (k gaugeKind) put(bus *haltest.Bus, words registers) {
	for register, value := range words {
		bus.Set(k.address, register, k.answer(register, value)...)
	}
	for register, text := range k.texts {
		bus.Set(k.address, register, k.textAnswer(register, text)...)
	}
}

// answer returns a word as the chip puts it on the bus; one that has a code adds it.
func (k gaugeKind) answer(register byte, value uint16) []byte {
	b := make([]byte, 2, 3)
	k.order.PutUint16(b, value)
	return append(b, hal.CRC8(0, append([]byte{byte(k.address << 1), register, byte(k.address<<1 | 1)}, b...)...))
}

func (k gaugeKind) textAnswer(register byte, text string) []byte {
	b := append([]byte{byte(len(text))}, text...)
	return append(b, hal.CRC8(0, append([]byte{byte(k.address << 1), register, byte(k.address<<1 | 1)}, b...)...))
}

// vector is a chip whose registers differ from those that make sense, and what is different in what they mean.
type vector struct {
	name    string
	changes registers
	differs func(*wire.Battery)
}

// testVectors plays each vector back: what the driver sends must be what the chip expects, byte for byte, and nothing
// else.
func testVectors(t *testing.T, kind gaugeKind, vectors []vector) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			bus := haltest.NewBus()
			kind.put(bus, kind.good.with(v.changes))
			record := &i2ctest.Record{}
			first := kind.gauge(t, func() (i2c.BusCloser, error) {
				handle, err := bus.Open()
				record.Bus = handle
				return recorder{record, handle}, err
			})
			want := kind.want()
			v.differs(want)
			expectGauge(t, first, want)
			if bus.Opened() != 0 {
				t.Error("the bus stayed open")
			}

			playback := &i2ctest.Playback{Ops: record.Ops, DontPanic: true}
			second := kind.gauge(t, func() (i2c.BusCloser, error) { return keptOpen{playback}, nil })
			expectGauge(t, second, want)
			if err := playback.Close(); err != nil {
				t.Error(err)
			}
			for _, op := range record.Ops {
				if len(op.W) != 1 || len(op.R) == 0 {
					t.Errorf("a transfer that writes %x and reads %d bytes: want the number of a register, and an answer", op.W, len(op.R))
				}
			}
		})
	}
}

// recorder is a recording bus that can be closed.
type recorder struct {
	*i2ctest.Record
	handle i2c.BusCloser
}

func (r recorder) Close() error { return r.handle.Close() }

// keptOpen is a playback that is checked at the end of a test, and not at the end of a reading.
type keptOpen struct{ *i2ctest.Playback }

func (keptOpen) Close() error { return nil }

func expectGauge(t *testing.T, g *hal.Gauge, want *wire.Battery) {
	t.Helper()
	got, err := g.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("reading differs (-want +got):\n%s", diff)
	}
}

func TestGaugeConformance(t *testing.T) {
	for _, kind := range gaugeKinds {
		t.Run(kind.chip, func(t *testing.T) {
			haltest.TestBattery(t, func(t *testing.T) haltest.BatteryBench {
				bus := haltest.NewBus()
				kind.put(bus, kind.good)
				return haltest.BatteryBench{
					Battery: kind.gauge(t, bus.Open),
					Want:    kind.want(),
					Hang:    func() { bus.Fail(haltest.BusHangs) },
					Garble:  func() { bus.Fail(haltest.BusIsLow) },
					Remove:  func() { bus.Fail(haltest.BusNACKs) },
					Restore: func() { bus.Fail(haltest.BusWorks) },
				}
			})
		})
	}
}

// Each fault of a bus has its reason, leaves no handle open, and is over when it is over.
func TestGaugeFaults(t *testing.T) {
	for _, fault := range []struct {
		name  string
		fault haltest.BusFault
		want  error
	}{
		{"hangs", haltest.BusHangs, hal.ErrHung},
		{"does not acknowledge", haltest.BusNACKs, hal.ErrGone},
		{"times out", haltest.BusTimesOut, hal.ErrHung},
		{"is high", haltest.BusIsHigh, hal.ErrGone},
		{"is low", haltest.BusIsLow, hal.ErrUnusable},
		{"is gone", haltest.BusIsGone, hal.ErrGone},
	} {
		for _, kind := range gaugeKinds {
			t.Run(fault.name+"/"+kind.chip, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					bus := haltest.NewBus()
					kind.put(bus, kind.good)
					g := kind.gauge(t, bus.Open)
					for range 3 {
						bus.Fail(fault.fault)
						if r, err := g.Read(t.Context()); !errors.Is(err, fault.want) || r != nil {
							t.Errorf("got %v, %v, want %v", r, err, fault.want)
						}
						bus.Fail(haltest.BusWorks)
						synctest.Wait()
						expectGauge(t, g, kind.want())
					}
					if bus.Opened() != 0 || bus.Wrote() != 0 {
						t.Errorf("%d handles are open, %d writes", bus.Opened(), bus.Wrote())
					}
				})
			})
		}
	}
}

// A reading that takes too long as a whole ends, though no transfer hangs.
func TestGaugeSlowBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := haltest.NewBus()
		sbsKind.put(bus, sbsKind.good)
		g := sbsKind.gauge(t, func() (i2c.BusCloser, error) {
			handle, err := bus.Open()
			return slowBus{handle}, err
		})
		started := time.Now()
		if _, err := g.Read(t.Context()); !errors.Is(err, hal.ErrHung) {
			t.Errorf("error is %v, want %v", err, hal.ErrHung)
		}
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(10 * time.Second)
		if bus.Opened() != 0 {
			t.Error("the bus stayed open")
		}
	})
}

// slowBus takes 900 ms for each transfer.
type slowBus struct{ i2c.BusCloser }

func (b slowBus) Tx(address uint16, w, r []byte) error {
	time.Sleep(900 * time.Millisecond)
	return b.BusCloser.Tx(address, w, r)
}

// Ten thousand times unplugged, by the chip and by the adapter: no handle, no goroutine and no write is left.
func TestGaugeUnplugCycles(t *testing.T) {
	bus := haltest.NewBus()
	kind := max17048Kind
	kind.put(bus, kind.good)
	g := kind.gauge(t, bus.Open)
	ctx := context.Background()
	for i := range 10_000 {
		bus.Fail([]haltest.BusFault{haltest.BusNACKs, haltest.BusIsGone, haltest.BusIsHigh}[i%3])
		if _, err := g.Read(ctx); !errors.Is(err, hal.ErrGone) {
			t.Fatalf("unplugged: %v", err)
		}
		bus.Fail(haltest.BusWorks)
		if _, err := g.Read(ctx); err != nil {
			t.Fatalf("plugged in: %v", err)
		}
	}
	if bus.Opened() != 0 || bus.Wrote() != 0 {
		t.Errorf("%d handles are open, %d writes", bus.Opened(), bus.Wrote())
	}
}

func TestGaugeRaw(t *testing.T) {
	bus := haltest.NewBus()
	max17048Kind.put(bus, max17048Kind.good.with(registers{0x04: 0x6580}))
	g := max17048Kind.gauge(t, bus.Open)
	if g.Raw() != "" {
		t.Errorf("raw is %q before any reading", g.Raw())
	}
	r, err := g.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.GetCapacityPercent() != 100 || !slices.Contains(strings.Fields(g.Raw()), "04=6580") {
		t.Errorf("charge is %d from %q, want 100 from 04=6580", r.GetCapacityPercent(), g.Raw())
	}
}

// FuzzGauge: whatever a chip answers, what is made of it is in range, and nothing is written.
func FuzzGauge(f *testing.F) {
	for i := range gaugeKinds {
		f.Add(byte(i), []byte{0xFF}, uint64(0))
		f.Add(byte(i), []byte{0x12, 0x80, 0x31, 0x00}, uint64(77))
	}
	f.Fuzz(func(t *testing.T, which byte, noise []byte, at uint64) {
		kind := gaugeKinds[int(which)%len(gaugeKinds)]
		bus := haltest.NewBus()
		kind.put(bus, kind.good)
		for i := 0; i+1 < len(noise); i += 2 {
			all := slices.Sorted(maps.Keys(kind.good))
			register := all[(at+uint64(i))%uint64(len(all))]
			bus.Set(kind.address, register, kind.answer(register, binary.BigEndian.Uint16(noise[i:]))...)
		}
		r, err := kind.gauge(t, bus.Open).Read(t.Context())
		if bus.Wrote() != 0 || bus.Opened() != 0 {
			t.Fatalf("%d writes, %d handles open", bus.Wrote(), bus.Opened())
		}
		if err == nil {
			haltest.CheckBattery(t, r)
		} else if r != nil || !errors.Is(err, hal.ErrGone) && !errors.Is(err, hal.ErrUnusable) {
			t.Fatalf("reading %v with error %v", r, err)
		}
	})
}
