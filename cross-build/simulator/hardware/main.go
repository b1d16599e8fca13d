// Command hardware is the hardware of the simulator's terminal, seen from the side that no terminal sees: it runs in the guest
// and plugs in what board profile qemu-armv7 describes, a Smart Battery behind a CP2112 and the lines of the tamper switch and
// of the dock. The kernel takes them for real. They stay until it is ended.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/stampd/stampd/hal/haltest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run plugs everything in, and out again when ctx ends.
func run(ctx context.Context) error {
	if err := makeLines(); err != nil {
		return err
	}
	bridge, err := haltest.PlugCP2112(battery())
	if err != nil {
		return err
	}
	<-ctx.Done()
	return bridge.Unplug()
}

// battery returns a bus with a Smart Battery of three cells that is being discharged: Smart Battery Data Specification 1.1,
// clause 5.1.
func battery() *haltest.Bus {
	const address = 0x0B
	bus := haltest.NewBus()
	for register, value := range map[byte]uint16{
		0x03: 0,      // mode: capacities are in mAh
		0x08: 2982,   // 0.1 K
		0x09: 11423,  // mV
		0x0A: 0xFE0C, // mA: -500
		0x0D: 81,     // %
		0x0F: 3490,   // mAh left
		0x10: 4310,   // mAh when full
		0x12: 344,    // minutes until it is empty
		0x13: 0xFFFF, // never full
		0x16: 0xC0,   // discharging
		0x17: 63,     // cycles
		0x18: 4400,   // mAh by design
		0x1A: 0x21,   // version 1.0 of the specification: no packet error codes
		0x1C: 4711,   // serial number
	} {
		bus.Set(address, register, byte(value), byte(value>>8))
	}
	const model = "PT-3S1P"
	bus.Set(address, 0x21, append([]byte{byte(len(model))}, model...)...)
	return bus
}

// lines are the switches of the terminal, in the order of their numbers.
var lines = []string{"TAMPER", "DOCK"}

// makeLines makes a chip of gpio-sim with the terminal's lines, which are low: Documentation/admin-guide/gpio/gpio-sim.rst.
func makeLines() error {
	const chip = "/sys/kernel/config/gpio-sim/terminal"
	bank := filepath.Join(chip, "bank0")
	err := errors.Join(os.Mkdir(chip, 0o755), os.Mkdir(bank, 0o755), put(filepath.Join(bank, "num_lines"), "8"))
	for number, name := range lines {
		line := filepath.Join(bank, fmt.Sprintf("line%d", number))
		err = errors.Join(err, os.Mkdir(line, 0o755), put(filepath.Join(line, "name"), name))
	}
	return errors.Join(err, put(filepath.Join(chip, "live"), "1"))
}

func put(file, content string) error { return os.WriteFile(file, []byte(content), 0o644) }
