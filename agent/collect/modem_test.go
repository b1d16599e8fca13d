package collect_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// plugged returns a board with a virtual modem on a real tty. Its time is real time.
func plugged(t *testing.T) (*hal.Board, *haltest.Modem, *haltest.Slot) {
	t.Helper()
	tr, err := haltest.ReadTranscript("../../testdata/at/quectel-ep06.txtar")
	if err != nil {
		t.Fatal(err)
	}
	virtual := haltest.NewModem(tr)
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	if err := slot.Plug(virtual); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slot.Unplug)
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: slot.Path(), SystemBus: hal.NoBus})
	t.Cleanup(board.Close)
	return board, virtual, slot
}

// await waits until the events that are so are as many.
func await(t *testing.T, what string, b *bench, want int, so func(*wire.Event) bool) []*wire.Event {
	t.Helper()
	for started := time.Now(); time.Since(started) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		events := slices.DeleteFunc(b.lane.events(), func(e *wire.Event) bool { return !so(e) })
		if len(events) >= want {
			return events
		}
	}
	t.Fatalf("%s: fewer than %d events within 10s", what, want)
	return nil
}

func isModem(e *wire.Event) bool { return e.GetModem() != nil }

// A modem is read in each round. What seldom changes is told once, and so is nonsense with the answers that it was in.
func TestCollectorModem(t *testing.T) {
	t.Parallel()
	board, _, _ := plugged(t)
	opts := quiet()
	opts.Board, opts.ModemEvery, opts.BlockEvery = board, 150*time.Millisecond, time.Millisecond
	b := run(t, opts)
	defer b.stop()
	events := await(t, "modem", b, 4, isModem)
	first, second := events[0].GetModem(), events[1].GetModem()
	if first.GetRsrpDecidbm() != -1040 || first.Imei == "" || first.Iccid == "" || first.Nonsense == "" || first.Raw == "" || first.Band == nil {
		t.Errorf("first reading lacks something: %v", first)
	}
	if second.GetRsrpDecidbm() != -1040 || second.GetRegistration() != 1 || second.Operator == "" {
		t.Errorf("second reading lacks something: %v", second)
	}
	if second.Imei != "" || second.Iccid != "" || second.Nonsense != "" || second.Raw != "" || second.Band != nil {
		t.Errorf("second reading repeats something: %v", second)
	}
	for _, e := range events {
		if e.Clock.GetBootMs() == 0 {
			t.Error("an event without a time")
		}
	}
}

// A lost registration is told at once, and so is its return, though the next reading is far away.
func TestCollectorModemNews(t *testing.T) {
	t.Parallel()
	board, virtual, _ := plugged(t)
	opts := quiet()
	opts.Board, opts.ModemEvery, opts.BlockEvery = board, never, time.Hour
	b := run(t, opts)
	defer b.stop()
	time.Sleep(time.Second) // the first reading is on its way; it waits for the block
	for i, state := range []string{"2", "1"} {
		virtual.Answer("AT+CEREG?", "+CEREG: 2,"+state, "OK")
		virtual.Say("+CEREG: " + state)
		events := await(t, "registration "+state, b, i+1, func(e *wire.Event) bool { // the first reading was at home too
			return isModem(e) && e.GetModem().GetRegistration() == uint32(state[0]-'0')
		})
		if state == "2" && events[0].GetModem().Operator != "T-Mobile" {
			t.Errorf("the reading is not whole: %v", events[0])
		}
	}
}

// A modem that is unplugged is missing, and restored when it is back; a modem that hangs delays nobody.
func TestCollectorModemGone(t *testing.T) {
	t.Parallel()
	board, virtual, slot := plugged(t)
	opts := collect.Options{
		Board: board, Version: "1.2.3", BatteryEvery: 50 * time.Millisecond, HostEvery: 50 * time.Millisecond,
		AppEvery: never, ModemEvery: 100 * time.Millisecond, BlockEvery: time.Millisecond,
	}
	b := run(t, opts)
	defer b.stop()
	await(t, "modem", b, 1, isModem)
	slot.Unplug()
	await(t, "missing", b, 1, isLifecycle(wire.LifecycleKind_LIFECYCLE_KIND_PART_MISSING, "modem/ttyUSB2"))
	if err := slot.Plug(virtual); err != nil {
		t.Fatal(err)
	}
	await(t, "restored", b, 1, isLifecycle(wire.LifecycleKind_LIFECYCLE_KIND_PART_RESTORED, "modem/ttyUSB2"))
	virtual.Fault(haltest.Hang)
	before := count(b.lane.events(), isHost)
	await(t, "host while the modem hangs", b, before+3, isHost)
}
