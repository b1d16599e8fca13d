package collect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// never is a pause so long that no reading falls into a test but the first.
const never = 100 * 365 * 24 * time.Hour

// quiet is a collector that reads once and then only looks for changes.
func quiet() collect.Options {
	return collect.Options{BatteryEvery: never, HostEvery: never, AppEvery: never, AppReportEvery: never, NetworkEvery: never, Version: "1.2.3"}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	charging    = wire.ChargeStatus_CHARGE_STATUS_CHARGING
	discharging = wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	unknown     = wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
)

// lane is a telemetry lane in memory, which can be out of order.
type lane struct {
	mu     sync.Mutex
	blocks []taken
	fault  error
}

// taken is a block, and when it came.
type taken struct {
	at     time.Time
	bytes  int
	events []*wire.Event
}

func (l *lane) AppendTelemetry(block pci.Clean) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return 0, l.fault
	}
	var packed wire.TelemetryBlock
	if err := proto.Unmarshal(block.Bytes(), &packed); err != nil {
		return 0, err
	}
	t := taken{at: time.Now(), bytes: len(block.Bytes())}
	for _, b := range packed.Events {
		e := new(wire.Event)
		if err := proto.Unmarshal(b, e); err != nil {
			return 0, err
		}
		t.events = append(t.events, e)
	}
	l.blocks = append(l.blocks, t)
	return uint64(len(l.blocks)), nil
}

func (l *lane) Spill(context.Context) error { return errors.ErrUnsupported } // it has no disk

func (l *lane) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
}

// all returns the blocks taken so far.
func (l *lane) all() []taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.blocks)
}

// events returns all events taken so far.
func (l *lane) events() (events []*wire.Event) {
	for _, b := range l.all() {
		events = append(events, b.events...)
	}
	return events
}

// count returns how many of the events are so.
func count(events []*wire.Event, so func(*wire.Event) bool) (n int) {
	for _, e := range events {
		if so(e) {
			n++
		}
	}
	return n
}

func isBattery(e *wire.Event) bool { return e.GetBattery() != nil }
func isHost(e *wire.Event) bool    { return e.GetHost() != nil }
func isApp(e *wire.Event) bool     { return e.GetAppPerformance() != nil }

func isLifecycle(kind wire.LifecycleKind, part string) func(*wire.Event) bool {
	return func(e *wire.Event) bool {
		return e.GetLifecycle().GetKind() == kind && e.GetLifecycle().GetPart() == part
	}
}

// kinds names the events, in their order.
func kinds(events []*wire.Event) string {
	var names []string
	for _, e := range events {
		switch {
		case isBattery(e):
			names = append(names, "battery")
		case isHost(e):
			names = append(names, "host")
		case isApp(e):
			names = append(names, "app")
		default:
			names = append(names, strings.TrimPrefix(e.GetLifecycle().GetKind().String(), "LIFECYCLE_KIND_"))
		}
	}
	return strings.Join(names, " ")
}

// bench is a collector that runs in a bubble, on a board with one battery that can be told what to do.
type bench struct {
	*collect.Collector
	battery *haltest.Battery
	lane    *lane
	stop    func() // and wait until Run has returned
}

// run starts a collector with the given options; what they leave open is set.
func run(t *testing.T, opts collect.Options) *bench {
	t.Helper()
	b := &bench{lane: new(lane), battery: haltest.NewBattery(reading(discharging, false))}
	if opts.Board == nil {
		opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{b.battery}})
	}
	if opts.Clock == nil {
		opts.Clock = hal.NewClock("/proc")
	}
	if opts.Guard == nil {
		opts.Guard = pci.NewGuard(func(events [][]byte) ([]byte, error) {
			return proto.Marshal(&wire.TelemetryBlock{Events: events})
		})
	}
	if opts.Sink == nil {
		opts.Sink = b.lane
	}
	b.Collector = collect.New(opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	b.stop = func() {
		cancel()
		<-done
	}
	return b
}

// reading is what a battery says.
func reading(status wire.ChargeStatus, external bool) *wire.Battery {
	return &wire.Battery{
		Name: "BAT0", Status: status, CapacityPercent: new(uint32(71)), VoltageUv: new(int64(3900000)), ExternalPower: &external,
	}
}

// pass lets time pass, and everything happen that is due.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestCollectorFirstAndLastBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		pass(time.Second)
		b.stop()
		var blocks []string
		for _, block := range b.lane.all() {
			blocks = append(blocks, kinds(block.events))
		}
		if want := []string{"STARTED", "host app battery", "STOPPING"}; !slices.Equal(blocks, want) {
			t.Errorf("the blocks are %q, want %q", blocks, want)
		}
		for _, e := range b.lane.events() {
			if l := e.GetLifecycle(); l != nil && l.Version != "1.2.3" {
				t.Errorf("%v does not tell the version", l.Kind)
			}
			if a := e.GetAppPerformance(); a != nil && (a.App != "stampd" || a.Version != "1.2.3" || a.GetRssBytes() == 0) {
				t.Errorf("application reads %v", a)
			}
		}
		if stats := b.Stats(); stats != (collect.Stats{Events: 5, Blocks: 3}) {
			t.Errorf("counted %+v", stats)
		}
	})
}

// Every event tells the time by every clock, and they are in the order of it.
func TestCollectorClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, collect.Options{BatteryEvery: time.Second, HostEvery: time.Second, AppEvery: time.Second})
		pass(5 * time.Minute)
		b.stop()
		var last int64
		for _, e := range b.lane.events() {
			c := e.GetClock()
			if c.GetBootMs() < last || c.WallUnixMs == nil || len(c.BootId) != 16 || c.Confidence == 0 {
				t.Fatalf("clock is %v after %d ms", c, last)
			}
			last = c.GetBootMs()
		}
	})
}

// Blocks come each BlockEvery, once the first was cut short, and readings come as often as they should.
func TestCollectorSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const battery, host, app = 10 * time.Second, 30 * time.Second, 5 * time.Minute
		begin := time.Now()
		b := run(t, collect.Options{BatteryEvery: battery, HostEvery: host, AppEvery: app, Jitter: 0.1, BlockEvery: time.Minute})
		pass(time.Hour)
		b.stop()
		events := b.lane.events()
		for _, kind := range []struct {
			name  string
			is    func(*wire.Event) bool
			every time.Duration
		}{{"battery", isBattery, battery}, {"host", isHost, host}, {"app", isApp, app}} {
			want := int(time.Hour / kind.every)
			if n := count(events, kind.is); n < want-1 || n > want+2 {
				t.Errorf("%d readings of %s in an hour, want about %d", n, kind.name, want)
			}
		}
		blocks := b.lane.all()
		for i, block := range blocks[1 : len(blocks)-1] {
			previous := blocks[i].at
			if held := block.at.Sub(previous); held > 61*time.Second || i > 1 && held < 59*time.Second {
				t.Errorf("block %d came %v after the one before, at %v", i, held, block.at.Sub(begin))
			}
		}
	})
}

// By default, everything of one round falls into one block: a day of readings is few blocks.
func TestCollectorDefaultsAreCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, collect.Options{Jitter: 0.1})
		pass(24 * time.Hour)
		b.stop()
		day := 24 * int(time.Hour/(5*time.Minute))
		if n := len(b.lane.all()); n < day || n > day+5 {
			t.Errorf("%d blocks a day, want %d: one for each round", n, day)
		}
		if n := len(b.lane.events()); n < 3*day-10 || n > 3*day+10 {
			t.Errorf("%d events a day, want about %d", n, 3*day)
		}
	})
}

// Terminals that start together, as after a power cut in a mall, do not report together: neither in the same seconds nor in
// the same minute of six.
func TestCollectorSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		fleet := make([]*bench, 30)
		for i := range fleet {
			fleet[i] = run(t, shipped())
		}
		pass(20 * time.Minute)
		seconds, minutes := make(map[time.Duration]bool), make(map[time.Duration]bool)
		for _, b := range fleet {
			b.stop()
			at := b.lane.all()[2].at.Sub(begin)
			seconds[at.Truncate(time.Second)%time.Minute] = true
			minutes[at.Truncate(time.Minute)] = true
		}
		if len(seconds) < 12 || len(minutes) < 4 {
			t.Errorf("30 terminals report at %d different seconds of a minute, in %d different minutes", len(seconds), len(minutes))
		}
	})
}

func TestCollectorMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, collect.Options{BatteryEvery: time.Second, BlockEvery: time.Hour})
		large := reading(discharging, false)
		large.Health = strings.Repeat("bad ", 16)
		b.battery.Set(large)
		pass(59 * time.Minute)
		b.stop()
		blocks := b.lane.all()
		if len(blocks) < 4 {
			t.Fatalf("%d blocks", len(blocks))
		}
		for i, block := range blocks {
			if block.bytes > 64<<10 {
				t.Errorf("block %d has %d bytes, want at most 64 KiB", i, block.bytes)
			}
			if len(block.events) > 1000 {
				t.Errorf("block %d has %d events, more than the schema allows", i, len(block.events))
			}
		}
		if largest := blocks[2].bytes; largest < 63<<10 {
			t.Errorf("a full block has %d bytes, want nearly 64 KiB", largest)
		}
	})
}

// The schema allows no more than 1,000 events in a block, however small they are.
func TestCollectorMaxEventsOfSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.BatteryEvery, opts.BlockEvery = time.Second, time.Hour
		b := run(t, opts)
		b.battery.Set(&wire.Battery{CapacityPercent: new(uint32(71))})
		pass(50 * time.Minute)
		b.stop()
		blocks := b.lane.all()
		if len(blocks) < 4 {
			t.Fatalf("%d blocks", len(blocks))
		}
		if n := len(blocks[2].events); n != 1000 {
			t.Errorf("a full block has %d events of %d bytes in all, want 1,000 events", n, blocks[2].bytes)
		}
	})
}

// A battery that is to be read as often as it is looked at is read at every look.
func TestCollectorFastBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.BatteryEvery, opts.Jitter = time.Second, 0.5
		b := run(t, opts)
		pass(10 * time.Minute)
		b.stop()
		if n := count(b.lane.events(), isBattery); n < 599 || n > 602 {
			t.Errorf("%d readings in 600 s, want one each second", n)
		}
	})
}

// When Run has returned, nothing of it runs any more: not even what somebody else makes of a violation.
func TestCollectorStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		var busy, done atomic.Int32
		opts.Violated = func(*pci.Violation) {
			busy.Add(1)
			time.Sleep(time.Minute)
			done.Add(1)
		}
		tainted := reading(discharging, false)
		tainted.Health = "4111 1111 1111 1111"
		opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Batteries: []hal.Battery{haltest.NewBattery(tainted)}})
		b := run(t, opts)
		pass(time.Second)
		b.stop()
		if busy.Load() != 1 || done.Load() != 1 {
			t.Errorf("%d calls began, %d ended before Run returned", busy.Load(), done.Load())
		}
	})
}

func TestCollectorFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.BatteryEvery, opts.BlockEvery = time.Minute, time.Hour
		b := run(t, opts)
		pass(time.Second)
		b.Flush()
		pass(5 * time.Minute)
		before := len(b.lane.all())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(b.Flush)
		}
		wg.Wait()
		blocks := b.lane.all()
		if len(blocks) != before+1 || len(blocks[before].events) != 5 {
			t.Fatalf("%d blocks, then %d after Flush; want one more, with five readings", before, len(blocks))
		}
		b.Flush()
		if n := len(b.lane.all()); n != before+1 {
			t.Errorf("%d blocks, though nothing was held", n)
		}
		b.stop()
		b.Flush()
		if last := b.lane.all(); !strings.HasSuffix(kinds(last[len(last)-1].events), "STOPPING") {
			t.Errorf("the last block is %q", kinds(last[len(last)-1].events))
		}
	})
}

// Each reading with cardholder data is refused and counted, and told of by field and kind once in ten minutes: what is told is
// never dropped. Everything else goes on.
func TestCollectorViolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var violations []pci.Violation
		b := run(t, collect.Options{BatteryEvery: time.Minute, Violated: func(v *pci.Violation) {
			mu.Lock()
			defer mu.Unlock()
			violations = append(violations, *v)
		}})
		pass(time.Second)
		tainted := reading(discharging, false)
		tainted.Health = "4111 1111 1111 1111"
		b.battery.Set(tainted)
		pass(30*time.Minute - time.Second)
		b.battery.Set(reading(discharging, false))
		pass(10 * time.Minute)
		b.stop()
		mu.Lock()
		defer mu.Unlock()
		if len(violations) != 3 {
			t.Fatalf("told of %d violations, want 3", len(violations))
		}
		if v := violations[0]; v.Field != "battery.health" || v.Kind != pci.KindPAN {
			t.Errorf("violation is %+v", v)
		}
		if n := count(b.lane.events(), isBattery); n < 10 || n > 13 {
			t.Errorf("%d readings of the battery, want about 11", n)
		}
		if stats := b.Stats(); stats.Refused < 29 || stats.Refused > 31 || stats.Dropped != 0 {
			t.Errorf("counted %+v, want about 30 refused", stats)
		}
		for _, e := range b.lane.events() {
			if strings.Contains(e.String(), "1111") {
				t.Error("cardholder data got through")
			}
		}
	})
}

// Blocks that the queue does not take are dropped and counted; the collector neither stops nor tries again.
func TestCollectorSinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, collect.Options{BatteryEvery: time.Minute, HostEvery: time.Minute, AppEvery: time.Minute})
		pass(time.Second)
		b.lane.fail(errors.New("disk full"))
		pass(30 * time.Minute)
		dropped := b.Stats().Dropped
		if dropped < 80 || dropped > 95 {
			t.Errorf("%d dropped in half an hour of three readings a minute", dropped)
		}
		b.lane.fail(nil)
		pass(10 * time.Minute)
		b.stop()
		stats := b.Stats()
		if stats.Dropped > dropped+6 {
			t.Errorf("%d dropped after the queue took blocks again", stats.Dropped-dropped)
		}
		if n := uint64(len(b.lane.events())); stats.Events != n || stats.Blocks != uint64(len(b.lane.all())) || n < 30 {
			t.Errorf("counted %+v; the queue has %d events in %d blocks", stats, n, len(b.lane.all()))
		}
	})
}
