package hal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"periph.io/x/conn/v3/i2c"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// cycles is how often the hardware comes and goes in TestUnplugCycles: `make leaks` has 10,000.
var cycles = flag.Int("cycles", 12, "how often the hardware comes and goes")

// held is what this process holds.
type held struct{ goroutines, descriptors, heap int }

func holds(t *testing.T) held {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{runtime.NumGoroutine(), len(entries), int(m.HeapAlloc)}
}

func (h held) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d KB of heap", h.goroutines, h.descriptors, h.heap>>10)
}

// flat runs cycles, and fails the test when more is held after all of them than after a tenth: what comes and goes with the
// last ones, and no more.
func flat(t *testing.T, cycle func(i int)) {
	t.Helper()
	n := *cycles
	early := held{}
	for i := range n {
		cycle(i)
		if i == n/10 {
			early = holds(t)
		}
	}
	late := holds(t)
	for started := time.Now(); late.goroutines > early.goroutines+3 && time.Since(started) < 5*time.Second; late = holds(t) {
		time.Sleep(10 * time.Millisecond)
	}
	if late.goroutines > early.goroutines+3 || late.descriptors > early.descriptors+3 || late.heap > early.heap+512<<10 {
		t.Errorf("after %d cycles %v, after a tenth of them %v", n, late, early)
	}
	t.Logf("after %d cycles %v, after a tenth of them %v", n, late, early)
}

// However often the hardware comes and goes, nothing of it stays: no goroutine, no descriptor, no memory.
func TestUnplugCycles(t *testing.T) {
	t.Run("modem", testUnplugModem)
	t.Run("ModemManager", testUnplugManager)
	t.Run("ModemManager's modem", testUnplugManaged)
	t.Run("battery", testUnplugBattery)
	t.Run("batteries that hang", testUnplugHung)
	t.Run("gauge", testUnplugGauge)
	t.Run("bus", testUnplugBus)
	t.Run("switch", testUnplugSwitch)
	t.Run("board", testUnplugBoard)
}

// testUnplugModem plugs two models in and out in turn, on a tty with another number each time: each is read as itself,
// within two seconds of its return.
func testUnplugModem(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "modem")
	ec25, wantEC25 := transcript(t, "../testdata/at/quectel-ec25.txtar")
	sim7600, wantSIM7600 := transcript(t, "../testdata/at/simcom-sim7600.txtar")
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: link, SystemBus: hal.NoBus})
	defer board.Close()
	slots := []*haltest.Slot{haltest.NewSlot(filepath.Join(dir, "ttyUSB2")), haltest.NewSlot(filepath.Join(dir, "ttyUSB6"))}
	models := []*haltest.Transcript{ec25, sim7600}
	worst := time.Duration(0)
	flat(t, func(i int) {
		slot := slots[i%2]
		if err := slot.Plug(haltest.NewModem(models[i%2])); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Symlink(slot.Path(), link+".new"), os.Rename(link+".new", link)); err != nil {
			t.Fatal(err)
		}
		plugged := time.Now()
		want := []*wire.Modem{wantEC25, wantSIM7600}[i%2]
		for {
			got := board.Modems(t.Context())
			if len(got) == 1 {
				want.Name = got[0].Name
				if diff := cmp.Diff(want, got[0], protocmp.Transform()); diff != "" {
					t.Fatalf("cycle %d: reading differs (-want +got):\n%s", i, diff)
				}
				break
			}
			if time.Since(plugged) > 4*time.Second {
				t.Fatalf("cycle %d: not read after %v", i, time.Since(plugged))
			}
			await(board.ModemNews(), 100*time.Millisecond)
		}
		worst = max(worst, time.Since(plugged))
		_ = os.Remove(link)
		slot.Unplug()
		for len(board.Modems(t.Context())) > 0 {
			await(board.ModemNews(), 10*time.Millisecond)
		}
	})
	if worst > 2*time.Second {
		t.Errorf("the modem was read %v after its return, want at most 2s", worst)
	}
	t.Logf("read %v after its return at most", worst)
}

// await waits for news, no longer than the limit.
func await(news <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	}
}

// testUnplugManager has ModemManager come and go on a real bus, with a tty that is the agent's while it is away.
func testUnplugManager(t *testing.T) {
	bus := startBus(t)
	service := startManager(t, bus)
	tr, wantAT := transcript(t, "../testdata/at/quectel-ec25.txtar")
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	if err := slot.Plug(haltest.NewModem(tr)); err != nil {
		t.Fatal(err)
	}
	defer slot.Unplug()
	properties, want := managed()
	service.Plug(properties, managedICCID)
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: slot.Path(), SystemBus: bus})
	defer board.Close()
	readAs := func(i int, want *wire.Modem) {
		t.Helper()
		for started := time.Now(); ; await(board.ModemNews(), 5*time.Millisecond) {
			if got := board.Modems(t.Context()); len(got) == 1 && got[0].Name == want.Name {
				return
			}
			if time.Since(started) > 5*time.Second {
				t.Fatalf("cycle %d: %s is not read", i, want.Name)
			}
		}
	}
	flat(t, func(i int) {
		service.Unplug()
		if err := service.Leave(); err != nil {
			t.Fatal(err)
		}
		readAs(i, wantAT)
		if err := service.Enter(); err != nil {
			t.Fatal(err)
		}
		service.Plug(properties, managedICCID)
		readAs(i, want)
	})
}

// testUnplugManaged plugs ModemManager's modem in and out, which is another object with another SIM each time.
func testUnplugManaged(t *testing.T) {
	bus := startBus(t)
	service := startManager(t, bus)
	properties, want := managed()
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: hal.ModemAuto, SystemBus: bus})
	defer board.Close()
	flat(t, func(i int) {
		service.Plug(properties, managedICCID)
		if got := board.Modems(t.Context()); len(got) != 1 || got[0].Iccid != want.Iccid {
			t.Fatalf("cycle %d: got %v", i, got)
		}
		service.Unplug()
		if got := board.Modems(t.Context()); len(got) != 0 {
			t.Fatalf("cycle %d: got %v from nowhere", i, got)
		}
	})
}

// testUnplugBattery swaps batteries in a real directory, each under another name.
func testUnplugBattery(t *testing.T) {
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus})
	defer board.Close()
	flat(t, func(i int) {
		dir := filepath.Join(root, class, fmt.Sprintf("BAT%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for attribute, content := range map[string]string{"type": "Battery", "status": "Discharging", "capacity": "50", "voltage_now": "3700000"} {
			if err := os.WriteFile(filepath.Join(dir, attribute), []byte(content+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := board.Batteries(t.Context()); len(got) != 1 || got[0].GetCapacityPercent() != 50 {
			t.Fatalf("cycle %d: got %v", i, got)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if got := board.Batteries(t.Context()); len(got) != 0 {
			t.Fatalf("cycle %d: got %v from nowhere", i, got)
		}
	})
	if parts := len(board.Found()); parts > 40 {
		t.Errorf("%d parts are remembered", parts)
	}
}

// testUnplugHung swaps batteries whose files never return, each under another name: the goroutines that wait for them are
// bounded, and another battery can be read when they are back.
func testUnplugHung(t *testing.T) {
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus})
	defer board.Close()
	var fifos []string
	before := runtime.NumGoroutine()
	for i := range *cycles {
		dir := filepath.Join(root, class, fmt.Sprintf("BAT%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fifo := filepath.Join(root, fmt.Sprint(i)) // stays, to let go of who reads it
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		fifos = append(fifos, fifo)
		if err := os.Link(fifo, filepath.Join(dir, "type")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if got := board.Batteries(ctx); len(got) != 0 {
			t.Fatalf("got %v", got)
		}
		cancel()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if now := runtime.NumGoroutine(); now > before+70 {
		t.Errorf("%d goroutines before, %d after %d batteries that hang", before, now, *cycles)
	}
	for _, fifo := range fifos {
		if writer, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = writer.Close()
		}
	}
	for started := time.Now(); runtime.NumGoroutine() > before+3; time.Sleep(time.Millisecond) {
		if time.Since(started) > 5*time.Second {
			t.Fatalf("%d goroutines after all reads came back", runtime.NumGoroutine())
		}
	}
}

// testUnplugGauge has the chip and the adapter of a gauge come and go.
func testUnplugGauge(t *testing.T) {
	for _, kind := range gaugeKinds {
		bus := haltest.NewBus()
		kind.put(bus, kind.good)
		g := kind.gauge(t, func() (i2c.BusCloser, error) { return bus.Open() })
		flat(t, func(i int) {
			bus.Fail([]haltest.BusFault{haltest.BusNACKs, haltest.BusIsGone, haltest.BusIsHigh, haltest.BusIsLow}[i%4])
			if _, err := g.Read(t.Context()); err == nil {
				t.Fatal("what is not there was read")
			}
			bus.Fail(haltest.BusWorks)
			if _, err := g.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		if bus.Opened() != 0 || bus.Wrote() != 0 {
			t.Errorf("%d handles are open, %d writes", bus.Opened(), bus.Wrote())
		}
	}
}

// testUnplugBus has an adapter and the chip on it come and go in the kernel's list.
func testUnplugBus(t *testing.T) {
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus})
	defer board.Close()
	flat(t, func(i int) {
		number := 900 + i%50
		devices := filepath.Join(root, "bus/i2c/devices")
		for dir, name := range map[string]string{fmt.Sprintf("i2c-%d", number): "adapter", fmt.Sprintf("%d-0055", number): "bq27441"} {
			if err := os.MkdirAll(filepath.Join(devices, dir), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(devices, dir, "name"), []byte(name+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		board.Batteries(t.Context())
		if !strings.Contains(fmt.Sprint(board.Found()), fmt.Sprintf("battery/bq27441@i2c-%d-55", number)) {
			t.Fatalf("cycle %d: not found in %v", i, board.Found())
		}
		if err := os.RemoveAll(devices); err != nil {
			t.Fatal(err)
		}
		board.Batteries(t.Context())
	})
}

// testUnplugSwitch starts and stops to watch switches whose chip comes and goes.
func testUnplugSwitch(t *testing.T) {
	tamper := haltest.NewSwitch(false)
	board := hal.Open(hal.Profile{
		SysRoot: t.TempDir(), SystemBus: hal.NoBus, Tamper: &hal.Pin{Line: "tamper", Debounce: time.Microsecond},
		OpenLine: func(hal.Pin) (hal.Line, error) { return tamper.Open() },
	})
	defer board.Close()
	flat(t, func(i int) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			board.WatchContacts(ctx, func(wire.ContactKind, hal.Contact) {})
		}()
		for tamper.Opened() == 0 {
			runtime.Gosched()
		}
		tamper.Fail(hal.ErrGone)
		for i%2 == 0 && tamper.Opened() > 0 { // else it is watched no more while it goes
			runtime.Gosched()
		}
		cancel()
		<-done
		tamper.Fail(nil)
		if tamper.Opened() != 0 {
			t.Fatalf("cycle %d: %d lines are open", i, tamper.Opened())
		}
	})
}

// testUnplugBoard opens and closes a board with all that it may have, none of which is there.
func testUnplugBoard(t *testing.T) {
	root := t.TempDir()
	chip, _ := hal.ChipNamed("sbs")
	flat(t, func(int) {
		board := hal.Open(hal.Profile{
			SysRoot: root, DevRoot: root, SystemBus: "unix:path=" + root + "/bus", Modem: hal.ModemAuto,
			Gauges: []hal.GaugeAt{{Chip: chip, Bus: "/dev/i2c-991"}}, Tamper: &hal.Pin{Chip: "gpiochip99", Line: "3"},
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		board.WatchContacts(ctx, func(wire.ContactKind, hal.Contact) {})
		cancel()
		board.Close()
	})
}
