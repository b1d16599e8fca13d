package hal

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	cpuDir     = "devices/system/cpu"
	thermalDir = "class/thermal"
)

// throttling reads what holds the processor back: Documentation/admin-guide/pm/cpufreq.rst, Documentation/ABI/testing/sysfs-class-thermal
// and the counters of x86. What a machine does not have stays unset.
func (m *machine) throttling(context.Context) (fill, error) {
	sys := sysfs(m.sysRoot)
	limit, coolers, events := readCPULimit(sys), readCoolers(sys), readThrottleEvents(sys)
	return func(h *wire.Host) { h.CpuLimitPercent, h.CoolersActive, h.ThrottleEvents = limit, coolers, events }, nil
}

// readCPULimit returns the share of its highest clock that the slowest processor may have.
func readCPULimit(sys fs.FS) *uint32 {
	var least *uint32
	each(sys, path.Join(cpuDir, "cpufreq"), "policy", func(get attributes) {
		now, most := get.number("scaling_max_freq", 1, maxKilohertz), get.number("cpuinfo_max_freq", 1, maxKilohertz)
		if now == nil || most == nil {
			return
		}
		if percent := uint32(min(100, *now*100 / *most)); least == nil || percent < *least {
			least = &percent
		}
	})
	return least
}

// maxKilohertz is the highest clock that is believed.
const maxKilohertz = 100_000_000

// readCoolers counts the cooling devices of the processor that are at work.
func readCoolers(sys fs.FS) *uint32 {
	var active *uint32
	each(sys, thermalDir, "cooling_device", func(get attributes) {
		state := get.number("cur_state", -1, 1_000_000) // -1 is idle injection that is off
		if state == nil || !coolsProcessor(parseText(get("type"))) {
			return
		}
		if active == nil {
			active = new(uint32(0))
		}
		if *state > 0 {
			*active++
		}
	})
	return active
}

// coolsProcessor tells by its type whether a cooling device is the processor's, and not a charger's, a radio's or a display's.
func coolsProcessor(kind string) bool {
	kind = strings.ToLower(kind)
	for _, name := range []string{"processor", "cpu", "fan", "powerclamp", "idle"} {
		if strings.Contains(kind, name) {
			return true
		}
	}
	return false
}

// readThrottleEvents returns how often the cores of an x86 were throttled.
func readThrottleEvents(sys fs.FS) *uint64 {
	var sum *uint64
	each(sys, cpuDir, "cpu", func(get attributes) {
		n := get.count("thermal_throttle/core_throttle_count")
		if n == nil {
			return
		}
		if sum == nil {
			sum = new(uint64(0))
		}
		*sum += *n
	})
	return sum
}

// each calls what wants the attributes of every directory whose name begins so and ends in a number.
func each(sys fs.FS, dir, prefix string, use func(attributes)) {
	entries, err := fs.ReadDir(sys, dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), prefix)
		if _, numbered := lineNumber(number); !ok || !numbered {
			continue
		}
		use(func(name string) []byte {
			content, _ := fs.ReadFile(sys, path.Join(dir, e.Name(), name))
			return content
		})
	}
}
