package hal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/uplink/wire"
)

// The kernel's files as of a terminal, in which every source of a reading has its own number.
var terminalFiles = map[string]string{
	"proc/stat":    "cpu  1000 0 500 8000 500 0 0 0 0 0\ncpu0 1000 0 500 8000 500 0 0 0 0 0\n",
	"proc/loadavg": "0.42 0.30 0.25 1/120 4321\n",
	"proc/meminfo": "MemTotal:         505596 kB\nMemFree:           20000 kB\nMemAvailable:     301004 kB\n",
	"proc/net/dev": `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999999     100    0    0    0     0          0         0   999999     100    0    0    0     0       0          0
  eth0: 1000       10    0    0    0     0          0         0     200       5    0    0    0     0       0          0
 wwan0: 50         1    0    0    0     0          0         0      7       1    0    0    0     0       0          0
`,
	"proc/1/stat":                        "1 (init) S 0",
	"proc/42/stat":                       "42 (stampd) S 1",
	"proc/self/stat":                     "42 (stampd) S 1",
	"sys/class/hwmon/hwmon0/name":        "bq27441_0\n",
	"sys/class/hwmon/hwmon0/temp1_input": "91000\n",
	"sys/class/hwmon/hwmon1/name":        "cpu_thermal\n",
	"sys/class/hwmon/hwmon1/temp1_input": "47236\n",
	"sys/class/hwmon/hwmon1/temp2_input": "50151\n",
}

// terminal writes the kernel's files into a directory, as changed by changes: "-" takes one away.
func terminal(t *testing.T, changes map[string]string) (m *machine, root string) {
	t.Helper()
	root = t.TempDir()
	for name, content := range terminalFiles {
		if changed, ok := changes[name]; ok {
			content = changed
		}
		if content != "-" {
			write(t, filepath.Join(root, name), content)
		}
	}
	for name, content := range changes {
		if _, ok := terminalFiles[name]; !ok {
			write(t, filepath.Join(root, name), content)
		}
	}
	return newMachine(Profile{
		ProcRoot: filepath.Join(root, "proc"), SysRoot: filepath.Join(root, "sys"), DataPath: root,
	}), root
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// terminalHost is what the second reading of terminalFiles must be. Disk and uptime are this machine's.
func terminalHost(r *wire.Host) *wire.Host {
	return &wire.Host{
		CpuCentipercent: new(uint32(2500)), Load1Centi: new(uint32(42)), MemoryTotalBytes: new(uint64(505596 << 10)),
		MemoryAvailableBytes: new(uint64(301004 << 10)), NetworkReceivedBytes: new(uint64(1050)),
		NetworkSentBytes: new(uint64(207)), TemperatureDecicelsius: new(int32(502)), Processes: new(uint32(2)),
		DiskTotalBytes: r.DiskTotalBytes, DiskFreeBytes: r.DiskFreeBytes, UptimeSeconds: r.UptimeSeconds,
	}
}

// later is what /proc/stat says when a quarter of the time since terminalFiles was spent.
const later = "cpu  1100 0 650 8700 550 0 0 0 100 0\n"

func TestHostReading(t *testing.T) {
	m, root := terminal(t, nil)
	if _, missing := m.read(t.Context()); strings.Join(missing, " ") != "cpu" {
		t.Errorf("the first reading misses %v, want only cpu", missing)
	}
	write(t, filepath.Join(root, "proc/stat"), later)
	got, missing := m.read(t.Context())
	if len(missing) > 0 {
		t.Errorf("the second reading misses %v", missing)
	}
	if diff := cmp.Diff(terminalHost(got), got, protocmp.Transform()); diff != "" {
		t.Errorf("reading differs (-want +got):\n%s", diff)
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(root, &stat); err != nil {
		t.Fatal(err)
	}
	if total := stat.Blocks * uint64(stat.Bsize); got.GetDiskTotalBytes() != total || got.GetDiskFreeBytes() > total {
		t.Errorf("disk is %d of %d bytes free, want a total of %d", got.GetDiskFreeBytes(), got.GetDiskTotalBytes(), total)
	}
	boot, _ := sinceBoot()
	if off := int64(boot.Seconds()) - int64(got.GetUptimeSeconds()); off < -1 || off > 1 {
		t.Errorf("uptime is %d s, want about %v", got.GetUptimeSeconds(), boot)
	}
}

// A source that is missing, or says nonsense, is unknown; everything else is as ever.
func TestHostEverySourceFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes map[string]string
		missing string
		clear   func(*wire.Host)
	}{
		{"nothing", nil, "", func(*wire.Host) {}},
		{"no stat at first", map[string]string{"proc/stat": "-"}, "cpu", noCPU},
		{"empty stat at first", map[string]string{"proc/stat": ""}, "cpu", noCPU},
		{"garbled stat at first", map[string]string{"proc/stat": "cpu x y z\n"}, "cpu", noCPU},
		{"counters stand still", map[string]string{"proc/stat": later}, "cpu", noCPU},
		{"counters went back", map[string]string{"proc/stat": "cpu 9999 0 9999 99999 0 0 0 0 0 0\n"}, "cpu", noCPU},
		{"garbled load", map[string]string{"proc/loadavg": "nan nan nan 1/1 1\n"}, "load", func(h *wire.Host) { h.Load1Centi = nil }},
		{"negative load", map[string]string{"proc/loadavg": "-1 0 0 1/1 1\n"}, "load", func(h *wire.Host) { h.Load1Centi = nil }},
		{"no meminfo", map[string]string{"proc/meminfo": "-"}, "memory", noMemory},
		{"garbled meminfo", map[string]string{"proc/meminfo": "MemTotal: lots kB\n"}, "memory", noMemory},
		{"more available than there is", map[string]string{"proc/meminfo": "MemTotal: 1 kB\nMemAvailable: 2 kB\n"}, "memory", noMemory},
		{"no interfaces", map[string]string{"proc/net/dev": "-"}, "network", noNetwork},
		{"empty net/dev makes gopsutil panic", map[string]string{"proc/net/dev": ""}, "network", noNetwork},
		{"short net/dev makes gopsutil panic", map[string]string{"proc/net/dev": "a\nb\neth0: 1 2\n"}, "network", noNetwork},
		{"no sensor", map[string]string{
			"sys/class/hwmon/hwmon1/temp1_input": "-", "sys/class/hwmon/hwmon1/temp2_input": "-",
		}, "temperature", noTemperature},
		{"sensors out of range", map[string]string{
			"sys/class/hwmon/hwmon1/temp1_input": "-273150\n", "sys/class/hwmon/hwmon1/temp2_input": "300000\n",
		}, "temperature", noTemperature},
		{"sensors say nonsense", map[string]string{
			"sys/class/hwmon/hwmon1/temp1_input": "N/A\n", "sys/class/hwmon/hwmon1/temp2_input": "nan\n",
		}, "temperature", noTemperature},
		{"one sensor says nonsense", map[string]string{"sys/class/hwmon/hwmon1/temp1_input": "N/A\n"}, "", func(*wire.Host) {}},
		{"no processes", map[string]string{"proc/1/stat": "-", "proc/42/stat": "-"}, "processes", func(h *wire.Host) { h.Processes = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, root := terminal(t, test.changes)
			m.read(t.Context())
			write(t, filepath.Join(root, "proc/stat"), later)
			got, missing := m.read(t.Context())
			if strings.Join(missing, " ") != test.missing {
				t.Errorf("misses %q, want %q", missing, test.missing)
			}
			want := terminalHost(got)
			test.clear(want)
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("reading differs (-want +got):\n%s", diff)
			}
		})
	}
}

func noCPU(h *wire.Host)         { h.CpuCentipercent = nil }
func noMemory(h *wire.Host)      { h.MemoryTotalBytes, h.MemoryAvailableBytes = nil, nil }
func noNetwork(h *wire.Host)     { h.NetworkReceivedBytes, h.NetworkSentBytes = nil, nil }
func noTemperature(h *wire.Host) { h.TemperatureDecicelsius = nil }

// Where there is no hwmon, the thermal zones are read, and only the processor's.
func TestHostThermalZones(t *testing.T) {
	m, _ := terminal(t, map[string]string{
		"sys/class/hwmon/hwmon0/name": "-", "sys/class/hwmon/hwmon0/temp1_input": "-", "sys/class/hwmon/hwmon1/name": "-",
		"sys/class/hwmon/hwmon1/temp1_input": "-", "sys/class/hwmon/hwmon1/temp2_input": "-",
		"sys/class/thermal/thermal_zone0/type": "soc-thermal\n", "sys/class/thermal/thermal_zone0/temp": "61500\n",
		"sys/class/thermal/thermal_zone1/type": "battery\n", "sys/class/thermal/thermal_zone1/temp": "71000\n",
	})
	got, _ := m.read(t.Context())
	if got.GetTemperatureDecicelsius() != 615 {
		t.Errorf("temperature is %d, want 615", got.GetTemperatureDecicelsius())
	}
}

// A path that is not there is on no disk.
func TestHostDisk(t *testing.T) {
	m, root := terminal(t, nil)
	m.dataPath = filepath.Join(root, "missing")
	got, missing := m.read(t.Context())
	if got.DiskTotalBytes != nil || got.DiskFreeBytes != nil || strings.Join(missing, " ") != "cpu disk" {
		t.Errorf("disk is %v of %v free; misses %v", got.DiskFreeBytes, got.DiskTotalBytes, missing)
	}
}

// The share of the processor stays a share when the time spent waiting for a disk goes back.
func TestHostProcessorShare(t *testing.T) {
	for _, test := range []struct {
		name, stat string
		want       uint32
	}{
		{"idle", "cpu  1000 0 500 9000 500 0 0 0 0 0\n", 0},
		{"all busy", "cpu  1500 0 1000 8000 500 0 0 0 0 0\n", 10_000},
		{"all busy, waiting goes back", "cpu  1500 0 1000 8000 499 0 0 0 0 0\n", 10_000},
		{"a hundredth of a percent", "cpu  1001 0 500 17999 500 0 0 0 0 0\n", 1},
		{"guests are not counted twice", "cpu  1500 0 500 8500 500 0 0 0 500 0\n", 5_000},
		{"waiting is not work", "cpu  1000 0 500 8000 900 0 0 0 0 0\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, root := terminal(t, nil)
			m.read(t.Context())
			write(t, filepath.Join(root, "proc/stat"), test.stat)
			got, _ := m.read(t.Context())
			if got.CpuCentipercent == nil || *got.CpuCentipercent != test.want {
				t.Errorf("got %v, want %d", got.CpuCentipercent, test.want)
			}
		})
	}
}

// This machine, as it is.
func TestHostOfThisMachine(t *testing.T) {
	board := Open(Profile{DataPath: t.TempDir()})
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); { // something to measure
	}
	h := board.Host(t.Context())
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	if h.MemoryTotalBytes == nil || !strings.Contains(string(memory), fmt.Sprintf(" %d kB\n", *h.MemoryTotalBytes>>10)) {
		t.Errorf("memory is %d bytes; not in /proc/meminfo", h.GetMemoryTotalBytes())
	}
	if h.GetMemoryAvailableBytes() == 0 || h.GetMemoryAvailableBytes() > h.GetMemoryTotalBytes() {
		t.Errorf("memory available is %d of %d", h.GetMemoryAvailableBytes(), h.GetMemoryTotalBytes())
	}
	if h.CpuCentipercent == nil || *h.CpuCentipercent == 0 || *h.CpuCentipercent > 10_000 {
		t.Errorf("processor is %v hundredths of a percent in use after a busy loop", h.CpuCentipercent)
	}
	if h.Load1Centi == nil || h.GetUptimeSeconds() == 0 || h.GetProcesses() == 0 || h.GetDiskTotalBytes() == 0 ||
		h.NetworkReceivedBytes == nil || h.NetworkSentBytes == nil {
		t.Errorf("something is unknown: %v", h)
	}
	t.Logf("%v; %v", h, board.Found())
}
