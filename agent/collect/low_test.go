package collect_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// charged is a battery in that state with that charge; below 0 is a charge that it does not tell.
func charged(status wire.ChargeStatus, percent int) *wire.Battery {
	r := &wire.Battery{Name: "BAT0", Status: status, VoltageUv: new(int64(3_400_000))}
	if percent >= 0 {
		r.CapacityPercent = new(uint32(percent))
	}
	return r
}

// disk is a queue that counts spills, and can fail at them.
type disk struct {
	*buffer.Queue
	spills atomic.Int64
	broken atomic.Bool
}

var errDisk = errors.New("disk is gone")

func (d *disk) Spill(ctx context.Context) error {
	if d.broken.Load() {
		return errDisk
	}
	d.spills.Add(1)
	return d.Queue.Spill(ctx)
}

// inMemory returns how many blocks a power cut would take.
func (d *disk) inMemory() (n uint64) {
	for _, l := range d.Lanes() {
		n += l.InMemory
	}
	return n
}

// ack has the backend store all that is in the queue.
func (d *disk) ack(t *testing.T) {
	t.Helper()
	for _, l := range d.Lanes() {
		if err := d.Ack(t.Context(), l.LaneID, l.Next-1, nil); err != nil {
			t.Error(err)
		}
	}
}

// runOnQueue starts a collector on a real queue that would leave readings in memory for an hour, with batteries that can be
// told what to do.
func runOnQueue(t *testing.T, opts collect.Options, batteries ...*haltest.Battery) (*bench, *disk) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("the FIPS module draws entropy from the clock, which stands still in a bubble")
	}
	q := queueOptions(t)
	q.SpillAfter = time.Hour
	queue, err := buffer.Open(q)
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{Queue: queue}
	profile := hal.Profile{SysRoot: t.TempDir()}
	for _, b := range batteries {
		profile.Batteries = append(profile.Batteries, b)
	}
	opts.Board, opts.Sink = hal.Open(profile), d
	b := run(t, opts)
	stop := b.stop
	b.stop = func() {
		stop()
		if err := queue.Close(); err != nil {
			t.Error(err)
		}
	}
	return b, d
}

// What is in memory is written when a battery becomes low, and not when it can't be said to be.
func TestCollectorSpillsWhenBatteryIsLow(t *testing.T) {
	const full = wire.ChargeStatus_CHARGE_STATUS_FULL
	for _, test := range []struct {
		name    string
		below   uint32
		now     []*wire.Battery // what the batteries read when they have changed
		written bool
	}{
		{"runs down", 10, []*wire.Battery{charged(discharging, 10)}, true},
		{"empty", 10, []*wire.Battery{charged(discharging, 0)}, true},
		{"one percent above", 10, []*wire.Battery{charged(discharging, 11)}, false},
		{"low and charging", 10, []*wire.Battery{charged(charging, 3)}, false},
		{"low and full, says the gauge", 10, []*wire.Battery{charged(full, 3)}, false},
		{"charge unknown", 10, []*wire.Battery{charged(discharging, -1)}, false},
		{"status unknown", 10, []*wire.Battery{charged(unknown, 3)}, false},
		{"all unknown", 10, []*wire.Battery{charged(unknown, -1)}, false},
		{"the second of two", 10, []*wire.Battery{charged(discharging, 80), charged(discharging, 9)}, true},
		{"the first of two", 10, []*wire.Battery{charged(discharging, 9), charged(charging, 80)}, true},
		{"another limit", 50, []*wire.Battery{charged(discharging, 50)}, true},
		{"never", 0, []*wire.Battery{charged(discharging, 0)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var batteries []*haltest.Battery
				for i := range test.now {
					r := charged(discharging, 71)
					r.Name = fmt.Sprint("BAT", i)
					test.now[i].Name = r.Name
					batteries = append(batteries, haltest.NewBattery(r))
				}
				opts := quiet()
				opts.SpillBelowPercent = test.below
				b, d := runOnQueue(t, opts, batteries...)
				defer b.stop()
				pass(time.Minute)
				before := d.inMemory()
				if before == 0 {
					t.Fatal("nothing is in memory")
				}
				for i, r := range test.now {
					batteries[i].Set(r)
				}
				pass(soon)
				if after := d.inMemory(); test.written != (after == 0) {
					t.Errorf("%d blocks are in memory, %d before; want them written: %v", after, before, test.written)
				}
				pass(time.Hour / 2)
				if n := d.spills.Load(); (n > 0) != test.written {
					t.Errorf("written %d times out of turn", n)
				}
			})
		})
	}
}

// While the battery stays low, each block is written that the backend does not answer in time, and no other.
func TestCollectorWhileBatteryStaysLow(t *testing.T) {
	for _, test := range []struct {
		name   string
		online bool
	}{{"offline", false}, {"online", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				battery := haltest.NewBattery(charged(discharging, 9))
				opts := quiet()
				opts.SpillBelowPercent, opts.HostEvery, opts.BlockEvery = 10, time.Minute, time.Minute
				b, d := runOnQueue(t, opts, battery)
				defer b.stop()
				pass(soon)
				commits := d.Stats().Commits
				for range 30 * 60 / 5 {
					pass(5 * time.Second)
					if test.online {
						d.ack(t)
					}
					// A block is made each minute, and may wait for an answer for two looks at the battery.
					if n := d.inMemory(); n > 1 {
						t.Fatalf("%d blocks are in memory", n)
					}
				}
				for range 3 { // looks, in case that a block has just been made
					if d.inMemory() > 0 {
						pass(5 * time.Second)
					}
				}
				if n := d.inMemory(); n > 0 && !test.online {
					t.Errorf("%d blocks are still in memory", n)
				}
				written := d.Stats().Commits - commits
				// Online, what was written at first may be removed.
				if test.online && written > 1 || !test.online && (written < 25 || written > 35) {
					t.Errorf("%d commits in half an hour", written)
				}

				battery.Set(charged(charging, 9))
				pass(soon)
				commits = d.Stats().Commits
				pass(10 * time.Minute)
				if n := d.Stats().Commits - commits; n > 1 {
					t.Errorf("%d commits in ten minutes on a charger", n)
				}
			})
		})
	}
}

// What can't be written stays in memory and is tried again; a gauge or a plug that flickers does not wear the flash.
func TestCollectorLowBatteryTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		battery := haltest.NewBattery(charged(discharging, 71))
		opts := quiet()
		opts.SpillBelowPercent = 10
		b, d := runOnQueue(t, opts, battery)
		defer b.stop()
		pass(time.Minute)
		d.broken.Store(true)
		battery.Set(charged(discharging, 10))
		pass(time.Minute)
		if d.inMemory() == 0 {
			t.Fatal("nothing is in memory, although the disk is broken")
		}
		d.broken.Store(false)
		pass(2 * soon)
		if n := d.inMemory(); n > 0 {
			t.Errorf("%d blocks are in memory, although the disk is mended", n)
		}

		before := d.spills.Load()
		for i := range 1000 { // what a gauge does at the limit, and when it does not answer
			battery.Set([]*wire.Battery{charged(discharging, 11), charged(discharging, 10), charged(unknown, -1)}[i%3])
			pass(5 * time.Second)
		}
		if n := d.spills.Load() - before; n > 20 {
			t.Errorf("a gauge that flickers is the cause of %d writes in 1000 looks", n)
		}
		before = d.spills.Load()
		for i := range 1000 {
			battery.Set(charged([]wire.ChargeStatus{charging, discharging}[i%2], 5))
			pass(5 * time.Second)
		}
		if n, most := d.spills.Load()-before, int64(6+1000*5/60); n > most {
			t.Errorf("a loose plug is the cause of %d writes in 1000 looks, want at most %d", n, most)
		}
	})
}

var _ collect.Sink = (*buffer.Queue)(nil)
