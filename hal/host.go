package hal

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"

	"github.com/stampd/stampd/uplink/wire"
)

// hostLimit is how long one source of a host reading may take: a sensor behind a hung bus, a file system that is gone.
const hostLimit = time.Second

// errUnknown means that a source has no answer that makes sense.
var errUnknown = errors.New("unknown")

// machine reads the host by gopsutil, each source on its own: one that fails or hangs leaves its fields unset, and no
// other. It is safe for concurrent use.
type machine struct {
	procRoot, sysRoot, dataPath string

	apps    []*appWatch
	watched *bounded[[]*wire.AppPerformance]
	sources *bounded[fill]
	links   *bounded[[]*wire.NetworkInterface]
	reset   wire.ResetReason // once it is known; touched only by the source "reset", as is asked
	asked   int              // how often it was looked for
	times   *cpu.TimesStat   // at the last reading; touched only by the source "cpu", which never runs twice at a time
}

// fill puts what one source knows into a reading.
type fill func(*wire.Host)

func newMachine(p Profile) *machine {
	m := &machine{
		procRoot: p.ProcRoot, sysRoot: p.SysRoot, dataPath: p.DataPath,
		watched: newBounded[[]*wire.AppPerformance](hostLimit),
		sources: newBounded[fill](hostLimit),
		links:   newBounded[[]*wire.NetworkInterface](hostLimit),
	}
	for _, app := range p.Apps {
		m.apps = append(m.apps, &appWatch{App: app})
	}
	return m
}

// hostReading is a reading, and the names of the sources that it had to do without.
type hostReading struct {
	reading *wire.Host
	missing []string
}

// read returns a reading, and the names of the sources that it had to do without.
func (m *machine) read(ctx context.Context) (reading *wire.Host, missing []string) {
	all := []struct {
		name string
		read func(context.Context) (fill, error)
	}{
		{"cpu", m.cpu},
		{"load", m.load},
		{"memory", m.memory},
		{"disk", m.disk},
		{"network", m.network},
		{"temperature", m.temperature},
		{"uptime", m.uptime},
		{"processes", m.processes},
		{"wear", m.wear},
		{"throttling", m.throttling},
		{"watchdog", m.watchdog},
		{"reset", m.resetReason},
	}
	rooted := m.rooted(ctx)
	found, err := batch(ctx, m.sources, time.Duration(len(all))*hostLimit, func(do reader[fill]) hostReading {
		found := hostReading{reading: new(wire.Host)}
		for _, source := range all {
			put, err := do(source.name, func() (fill, error) { return source.read(rooted) })
			if err != nil {
				found.missing = append(found.missing, source.name)
				continue
			}
			put(found.reading)
		}
		return found
	})
	if err != nil {
		return new(wire.Host), nil
	}
	return found.reading, found.missing
}

// rooted returns a context that tells gopsutil where procfs and sysfs are. It does not end with ctx, since others may
// be waiting for the same read.
func (m *machine) rooted(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: m.procRoot,
		common.HostSysEnvKey:  m.sysRoot,
	})
}

// cpu reads /proc/stat. The first reading knows no share yet.
func (m *machine) cpu(ctx context.Context) (fill, error) {
	all, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(all) != 1 {
		return nil, errUnknown
	}
	last := m.times
	m.times = &all[0]
	if last == nil {
		return nil, errUnknown
	}
	elapsed := total(all[0]) - total(*last)
	idle := all[0].Idle + all[0].Iowait - last.Idle - last.Iowait
	if elapsed <= 0 {
		return nil, errUnknown
	}
	busy := 1 - idle/elapsed // iowait may go back a little (proc(5))
	share := uint32(math.Round(10_000 * min(max(0, busy), 1)))
	return func(h *wire.Host) { h.CpuCentipercent = &share }, nil
}

// total returns all the time that a processor has counted, in seconds. Time of guests is in User already (proc(5)).
func total(t cpu.TimesStat) float64 {
	return t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal
}

// load reads /proc/loadavg.
func (m *machine) load(ctx context.Context) (fill, error) {
	averages, err := load.AvgWithContext(ctx)
	if err != nil || !(averages.Load1 >= 0 && averages.Load1 < 1_000_000) {
		return nil, errUnknown
	}
	load1 := uint32(math.Round(100 * averages.Load1))
	return func(h *wire.Host) { h.Load1Centi = &load1 }, nil
}

// memory reads /proc/meminfo.
func (m *machine) memory(ctx context.Context) (fill, error) {
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil || memory.Total == 0 || memory.Available > memory.Total {
		return nil, errUnknown
	}
	return func(h *wire.Host) {
		h.MemoryTotalBytes, h.MemoryAvailableBytes = &memory.Total, &memory.Available
	}, nil
}

// disk asks for the file system that holds the data path (statfs(2)).
func (m *machine) disk(ctx context.Context) (fill, error) {
	usage, err := disk.UsageWithContext(ctx, m.dataPath)
	if err != nil || usage.Total == 0 {
		return nil, errUnknown
	}
	return func(h *wire.Host) { h.DiskTotalBytes, h.DiskFreeBytes = &usage.Total, &usage.Free }, nil
}

// network reads /proc/net/dev.
func (m *machine) network(ctx context.Context) (fill, error) {
	interfaces, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return nil, errUnknown
	}
	var received, sent uint64
	for _, i := range interfaces {
		if i.Name != "lo" {
			received, sent = received+i.BytesRecv, sent+i.BytesSent
		}
	}
	return func(h *wire.Host) { h.NetworkReceivedBytes, h.NetworkSentBytes = &received, &sent }, nil
}

// temperature reads /sys/class/hwmon, or /sys/class/thermal where that is empty. Sensors that can't be read are left out.
func (m *machine) temperature(ctx context.Context) (fill, error) {
	sensors, _ := host.SensorsTemperaturesWithContext(ctx)
	hottest := math.Inf(-1)
	for _, s := range sensors {
		if ofProcessor(s.SensorKey) && s.Temperature >= -40 && s.Temperature <= 150 {
			hottest = max(hottest, s.Temperature)
		}
	}
	if math.IsInf(hottest, -1) {
		return nil, errUnknown
	}
	degrees := int32(math.Round(10 * hottest))
	return func(h *wire.Host) { h.TemperatureDecicelsius = &degrees }, nil
}

// ofProcessor tells by its name whether a sensor measures the processor, and not a battery, a disk or a radio.
func ofProcessor(sensor string) bool {
	sensor = strings.ToLower(sensor)
	for _, name := range []string{"cpu", "coretemp", "k10temp", "soc", "tsens", "imx_thermal"} {
		if strings.Contains(sensor, name) {
			return true
		}
	}
	return false
}

// uptime asks the kernel (sysinfo(2)).
func (m *machine) uptime(ctx context.Context) (fill, error) {
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return nil, errUnknown
	}
	return func(h *wire.Host) { h.UptimeSeconds = &seconds }, nil
}

// processes counts the directories of /proc that are named by a number.
func (m *machine) processes(ctx context.Context) (fill, error) {
	pids, err := process.PidsWithContext(ctx)
	if err != nil || len(pids) == 0 {
		return nil, errUnknown
	}
	count := uint32(len(pids))
	return func(h *wire.Host) { h.Processes = &count }, nil
}
