package hal

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// watchdogClass is where the kernel lists watchdogs: Documentation/ABI/testing/sysfs-class-watchdog.
const watchdogClass = "class/watchdog"

// resetTries is how often the reason is looked for: a driver may come late, and one that never comes must not be waited for.
const resetTries = 5

// Bits of a watchdog's bootstatus: include/uapi/linux/watchdog.h.
const (
	watchdogOverheat   = 0x01
	watchdogExtern1    = 0x04
	watchdogExtern2    = 0x08
	watchdogPowerUnder = 0x10
	watchdogCardReset  = 0x20
	watchdogPowerOver  = 0x40
)

// watchdog reads whether a watchdog counts down. Reading disarms none: its device is not opened.
func (m *machine) watchdog(context.Context) (fill, error) {
	armed, timeout := readWatchdog(sysfs(m.sysRoot))
	return func(h *wire.Host) { h.WatchdogArmed, h.WatchdogTimeoutSeconds = armed, timeout }, nil
}

func readWatchdog(sys fs.FS) (armed *bool, timeout *uint32) {
	each(sys, watchdogClass, "watchdog", func(get attributes) {
		state := parseText(get("state"))
		seconds := convert[uint32](get.number("timeout", 1, 1_000_000))
		switch {
		case armed != nil && *armed, state != "active" && state != "inactive":
			return
		case state == "active":
			armed, timeout = new(true), seconds
		case armed == nil:
			armed, timeout = new(false), seconds
		}
	})
	return armed, timeout
}

// resetReason finds out why the machine started, as long as nothing has told it.
func (m *machine) resetReason(context.Context) (fill, error) {
	if m.reset == wire.ResetReason_RESET_REASON_UNSPECIFIED && m.asked < resetTries {
		m.asked++
		m.reset = readResetReason(sysfs(m.sysRoot), m.procRoot)
	}
	reset := m.reset
	return func(h *wire.Host) { h.ResetReason = reset }, nil
}

// readResetReason asks those that know, the best first: a watchdog that reset the machine, the chip's own register
// (Documentation/ABI/testing/sysfs-platform-power-on-reason), and what the boot loader told the kernel.
func readResetReason(sys fs.FS, procRoot string) wire.ResetReason {
	if reason := fromBootStatus(sys); reason != wire.ResetReason_RESET_REASON_UNSPECIFIED {
		return reason
	}
	if reason := fromPowerOnReason(sys); reason != wire.ResetReason_RESET_REASON_UNSPECIFIED {
		return reason
	}
	line, err := os.ReadFile(filepath.Join(procRoot, "cmdline"))
	if err != nil {
		return wire.ResetReason_RESET_REASON_UNSPECIFIED
	}
	return fromCommandLine(string(line))
}

func fromBootStatus(sys fs.FS) wire.ResetReason {
	var bits uint64
	each(sys, watchdogClass, "watchdog", func(get attributes) {
		n, err := strconv.ParseUint(parseText(get("bootstatus")), 0, 32)
		if err == nil {
			bits |= n
		}
	})
	switch {
	case bits&watchdogCardReset != 0:
		return wire.ResetReason_RESET_REASON_WATCHDOG
	case bits&watchdogOverheat != 0:
		return wire.ResetReason_RESET_REASON_OVERHEATED
	case bits&watchdogPowerUnder != 0:
		return wire.ResetReason_RESET_REASON_BROWNOUT
	case bits&watchdogPowerOver != 0:
		return wire.ResetReason_RESET_REASON_OVERVOLTAGE
	case bits&(watchdogExtern1|watchdogExtern2) != 0:
		return wire.ResetReason_RESET_REASON_EXTERNAL
	}
	return wire.ResetReason_RESET_REASON_UNSPECIFIED
}

// powerOnReasons are the kernel's words: include/linux/power/power_on_reason.h.
var powerOnReasons = map[string]wire.ResetReason{
	"regular power-up":    wire.ResetReason_RESET_REASON_POWER_ON,
	"RTC wakeup":          wire.ResetReason_RESET_REASON_WAKEUP,
	"watchdog timeout":    wire.ResetReason_RESET_REASON_WATCHDOG,
	"software reset":      wire.ResetReason_RESET_REASON_SOFTWARE,
	"reset button action": wire.ResetReason_RESET_REASON_EXTERNAL,
	"brown-out reset":     wire.ResetReason_RESET_REASON_BROWNOUT,
}

func fromPowerOnReason(sys fs.FS) wire.ResetReason {
	const devices = "bus/platform/devices"
	entries, err := fs.ReadDir(sys, devices)
	if err != nil {
		return wire.ResetReason_RESET_REASON_UNSPECIFIED
	}
	for _, e := range entries {
		content, err := fs.ReadFile(sys, path.Join(devices, e.Name(), "power_on_reason"))
		if reason, known := powerOnReasons[parseText(content)]; err == nil && known {
			return reason
		}
	}
	return wire.ResetReason_RESET_REASON_UNSPECIFIED
}

// bootReasons are what boot loaders say, by how it begins: the canonical boot reasons of Android, which vendors of terminals
// use. The longer come before those that they begin with.
var bootReasons = []struct {
	prefix string
	reason wire.ResetReason
}{
	{"watchdog", wire.ResetReason_RESET_REASON_WATCHDOG},
	{"kernel_panic", wire.ResetReason_RESET_REASON_CRASH},
	{"reboot,undervoltage", wire.ResetReason_RESET_REASON_BROWNOUT},
	{"reboot,thermal", wire.ResetReason_RESET_REASON_OVERHEATED},
	{"shutdown,thermal", wire.ResetReason_RESET_REASON_OVERHEATED},
	{"shutdown,battery", wire.ResetReason_RESET_REASON_BROWNOUT},
	{"reboot,kernel_panic", wire.ResetReason_RESET_REASON_CRASH},
	{"reboot,watchdog", wire.ResetReason_RESET_REASON_WATCHDOG},
	{"reboot", wire.ResetReason_RESET_REASON_SOFTWARE},
	{"warm", wire.ResetReason_RESET_REASON_SOFTWARE},
	{"cold", wire.ResetReason_RESET_REASON_POWER_ON},
	{"hard", wire.ResetReason_RESET_REASON_EXTERNAL},
}

// fromCommandLine returns the reason among the kernel's arguments.
func fromCommandLine(line string) wire.ResetReason {
	for argument := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(argument, "=")
		if name != "androidboot.bootreason" && name != "bootreason" {
			continue
		}
		for _, known := range bootReasons {
			if strings.HasPrefix(value, known.prefix) {
				return known.reason
			}
		}
	}
	return wire.ResetReason_RESET_REASON_UNSPECIFIED
}
