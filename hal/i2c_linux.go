package hal

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"periph.io/x/conn/v3/i2c"
	periph "periph.io/x/host/v3/sysfs"
)

// i2cDevices is where the kernel lists I²C adapters and what is on them, under the root of sysfs.
const i2cDevices = "bus/i2c/devices"

// i2cOpener returns a function that opens a bus. The bus is its device ("/dev/i2c-1") or the name of its adapter, as in
// <SysRoot>/bus/i2c/devices/i2c-1/name, for adapters that get another number each time. It is looked for at each call.
func i2cOpener(sys fs.FS, bus string) func() (i2c.BusCloser, error) {
	return func() (i2c.BusCloser, error) {
		number, err := i2cNumber(sys, bus)
		if err != nil {
			return nil, err
		}
		return openI2C(number)
	}
}

// openI2C opens a bus by its number: with transfers of any form (I2C_RDWR) where the adapter knows them, else with those of
// SMBus alone.
func openI2C(number int) (i2c.BusCloser, error) {
	simple, err := openSMBus(number)
	if err != nil {
		return nil, err
	}
	if !simple.transfers {
		return simple, nil
	}
	_ = simple.Close()
	bus, err := periph.NewI2C(number)
	if err != nil {
		return nil, fmt.Errorf("cannot open bus %d: %w", number, busError(err))
	}
	return bus, nil
}

// i2cNumber returns the number that a bus has now.
func i2cNumber(sys fs.FS, bus string) (int, error) {
	if digits, ok := strings.CutPrefix(bus, "/dev/i2c-"); ok {
		return strconv.Atoi(digits)
	}
	adapters, err := fs.ReadDir(sys, i2cDevices)
	if err != nil {
		return 0, ErrGone
	}
	for _, a := range adapters {
		digits, ok := strings.CutPrefix(a.Name(), "i2c-")
		number, err := strconv.Atoi(digits)
		if !ok || err != nil {
			continue
		}
		name, err := fs.ReadFile(sys, path.Join(i2cDevices, a.Name(), "name"))
		if err == nil && parseText(name) == bus {
			return number, nil
		}
	}
	return 0, ErrGone
}

// driven tells whether a driver of the kernel has the device at an address. What it has is in the class power_supply, and is
// to be read there.
func driven(sys fs.FS, bus string, address uint16) bool {
	number, err := i2cNumber(sys, bus)
	if err != nil {
		return false
	}
	entries, err := fs.ReadDir(sys, path.Join(i2cDevices, i2cDirectory(number, address)))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "driver" })
}

// busCauses is what an error of an I²C bus means (Documentation/i2c/fault-codes.rst). An adapter without a pull-up or with a
// hung chip times out; so does a CP2112 when nobody answers.
var busCauses = []struct {
	errno syscall.Errno
	means error
}{
	{syscall.ENXIO, ErrGone},     // no acknowledgement of the address
	{syscall.EREMOTEIO, ErrGone}, // the same, from other adapters
	{syscall.EIO, ErrGone},       // the same, from others again
	{syscall.ENODEV, ErrGone},    // the adapter went
	{syscall.ENOENT, ErrGone},    // it has no device file
	{syscall.ETIMEDOUT, ErrHung},
	{syscall.EAGAIN, ErrHung}, // another master has the bus
	{syscall.EBUSY, ErrTaken},
	{syscall.EACCES, ErrDenied},
	{syscall.EPERM, ErrDenied},
}

// busError returns ErrGone, ErrHung, ErrTaken, ErrDenied or ErrUnusable for what an I²C bus returned. periph hands an errno on as its
// text alone, at the end of its own.
func busError(err error) error {
	for _, known := range []error{ErrGone, ErrHung, ErrTaken, ErrDenied, ErrUnusable} {
		if errors.Is(err, known) {
			return known
		}
	}
	for _, c := range busCauses {
		if errors.Is(err, c.errno) || strings.HasSuffix(err.Error(), c.errno.Error()) {
			return c.means
		}
	}
	return ErrUnusable
}
