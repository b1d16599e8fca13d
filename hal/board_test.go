package hal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// batteryParts returns what a board says of its batteries.
func batteryParts(b *hal.Board) []hal.Part {
	parts := slices.DeleteFunc(b.Found(), func(p hal.Part) bool { return !strings.HasPrefix(p.Name, "battery") })
	for i := range parts {
		parts[i].Raw = "" // TestBoardRaw
	}
	return parts
}

// What the kernel's driver wrote stays beside what was made of it, be it believed or not.
func TestBoardRaw(t *testing.T) {
	root := t.TempDir()
	writeTree(t, "garbage", root)
	board := hal.Open(hal.Profile{SysRoot: root, SystemBus: hal.NoBus})
	defer board.Close()
	for _, part := range board.Found() {
		if part.Name == "battery/battery" {
			t.Log(part.Raw)
			if !strings.Contains(" "+part.Raw+" ", " capacity=") || len(part.Raw) > 2000 {
				t.Errorf("raw is %q", part.Raw)
			}
			return
		}
	}
	t.Errorf("no battery in %v", board.Found())
}

func expectParts(t *testing.T, when string, b *hal.Board, want ...hal.Part) {
	t.Helper()
	if diff := cmp.Diff(want, batteryParts(b)); diff != "" {
		t.Errorf("%s: parts differ (-want +got):\n%s", when, diff)
	}
}

// writeTree writes one of the shared trees below root, with the class as the kernel makes it: symbolic links to devices.
func writeTree(t *testing.T, name, root string) {
	t.Helper()
	if err := readTree(t, name).Write(root); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, class))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "devices"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		link := filepath.Join(root, class, e.Name())
		if err := os.Rename(link, filepath.Join(root, "devices", e.Name())); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../devices/"+e.Name(), link); err != nil {
			t.Fatal(err)
		}
	}
}

// Hardware that appears after Open is picked up, and hardware that goes is told of, without a restart.
func TestBoardHotSwap(t *testing.T) {
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root})
	none := hal.Part{Name: "battery", Detail: "not there"}
	expectParts(t, "at first", board, none)
	if got := board.Batteries(t.Context()); len(got) != 0 {
		t.Errorf("%d batteries on an empty board", len(got))
	}
	expectParts(t, "still", board, none)

	writeTree(t, "healthy", root)
	got := board.Batteries(t.Context())
	if diff := cmp.Diff([]*wire.Battery{healthy()}, got, protocmp.Transform()); diff != "" {
		t.Errorf("batteries differ (-want +got):\n%s", diff)
	}
	expectParts(t, "put in", board, hal.Part{Name: "battery/bq27441-0", Driver: "power_supply", OK: true})

	link := filepath.Join(root, class, "bq27441-0")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if got := board.Batteries(t.Context()); len(got) != 0 {
		t.Errorf("%d batteries after it was taken out", len(got))
	}
	expectParts(t, "taken out", board, hal.Part{Name: "battery/bq27441-0", Driver: "power_supply", Detail: "not there"})

	if err := os.Symlink("../../devices/bq27441-0", link); err != nil {
		t.Fatal(err)
	}
	board.Batteries(t.Context())
	expectParts(t, "put in again", board, hal.Part{Name: "battery/bq27441-0", Driver: "power_supply", OK: true})
}

// A file that blocks for ever costs one goroutine, not one per reading, and delays neither Open nor the next readings.
func TestBoardHungFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeTree(t, "healthy", root)
	fifo := filepath.Join(root, class, "bq27441-0", "current_now")
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil { // opening it blocks until there is a writer
		t.Fatal(err)
	}
	started := time.Now()
	board := hal.Open(hal.Profile{SysRoot: root})
	if took := time.Since(started); took > time.Second {
		t.Errorf("Open took %v", took)
	}
	want := healthy()
	want.CurrentUa = nil
	for range 100 {
		got := board.Batteries(t.Context())
		if diff := cmp.Diff([]*wire.Battery{want}, got, protocmp.Transform()); diff != "" {
			t.Fatalf("batteries differ (-want +got):\n%s", diff)
		}
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("100 readings took %v", took)
	}
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0) // lets go of the one reader there is
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBoardParts(t *testing.T) {
	for _, test := range []struct {
		tree string
		want []hal.Part
	}{
		{"mains-only", []hal.Part{{Name: "battery", Detail: "not there"}}},
		{"two-batteries", []hal.Part{
			{Name: "battery/battery", Driver: "power_supply", OK: true},
			{Name: "battery/grip1", Driver: "power_supply", OK: true},
			{Name: "battery/grip2", Driver: "power_supply", Detail: "not there"},
		}},
		{"garbage", []hal.Part{{Name: "battery/battery", Driver: "power_supply", OK: true}}},
	} {
		t.Run(test.tree, func(t *testing.T) {
			root := t.TempDir()
			writeTree(t, test.tree, root)
			expectParts(t, "after Open", hal.Open(hal.Profile{SysRoot: root}), test.want...)
		})
	}
}

func TestBoardInvertedSign(t *testing.T) {
	root := t.TempDir()
	writeTree(t, "inverted", root)
	board := hal.Open(hal.Profile{SysRoot: root}) // reads once
	for range 9 {
		board.Batteries(t.Context())
	}
	expectParts(t, "after ten readings", board,
		hal.Part{Name: "battery/battery", Driver: "power_supply", OK: true, Detail: "sign=inverted"})
}

// A reading that was cut short says nothing of the parts.
func TestBoardCancelled(t *testing.T) {
	root := t.TempDir()
	writeTree(t, "two-batteries", root)
	board := hal.Open(hal.Profile{SysRoot: root})
	before := board.Found()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := board.Batteries(ctx); len(got) != 0 {
		t.Errorf("%d readings after cancel", len(got))
	}
	board.Host(ctx)
	if diff := cmp.Diff(before, board.Found()); diff != "" {
		t.Errorf("parts differ (-want +got):\n%s", diff)
	}
}

// Batteries of a profile's own stand beside the kernel's, and each fails on its own.
func TestBoardProfileBatteries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeTree(t, "healthy", root)
	second := haltest.NewBattery(&wire.Battery{Name: "grip", CapacityPercent: new(uint32(3))})
	board := hal.Open(hal.Profile{SysRoot: root, Batteries: []hal.Battery{second}})
	kernel := hal.Part{Name: "battery/bq27441-0", Driver: "power_supply", OK: true}
	for _, step := range []struct {
		name  string
		do    func()
		reads int
		want  hal.Part
	}{
		{"as made", func() {}, 2, hal.Part{OK: true}},
		{"hung", func() { second.Fail(hal.ErrHung) }, 1, hal.Part{Detail: "does not answer in time"}},
		{"garbled", func() { second.Fail(hal.ErrUnusable) }, 1, hal.Part{Detail: "answers with nothing usable"}},
		{"an error of its own", func() { second.Fail(os.ErrPermission) }, 1, hal.Part{Detail: "answers with nothing usable"}},
		{"back", func() { second.Set(&wire.Battery{CapacityPercent: new(uint32(4))}) }, 2, hal.Part{OK: true}},
	} {
		step.do()
		if got := board.Batteries(t.Context()); len(got) != step.reads {
			t.Errorf("%s: %d readings, want %d", step.name, len(got), step.reads)
		}
		step.want.Name, step.want.Driver = "battery/grip", "profile"
		expectParts(t, step.name, board, kernel, step.want)
	}
}

// A driver that names a battery anew each time it is put in must not make the board remember them all.
func TestBoardForgets(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	board := hal.Open(hal.Profile{SysRoot: root})
	for i := range 500 {
		dir := filepath.Join(root, class, fmt.Sprintf("sbs-%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for attribute, content := range map[string]string{"type": "Battery", "capacity": "50"} {
			if err := os.WriteFile(filepath.Join(dir, attribute), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := board.Batteries(t.Context()); len(got) != 1 {
			t.Fatalf("battery %d: %d readings", i, len(got))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(board.Found()); n > 40 {
		t.Errorf("%d parts are remembered", n)
	}
}

// writeArchive writes a tree below root.
func writeArchive(t *testing.T, archive, root string) {
	t.Helper()
	tree, err := haltest.ParseTree([]byte(archive))
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Write(root); err != nil {
		t.Fatal(err)
	}
}
