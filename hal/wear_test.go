package hal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

func TestParseLifeTime(t *testing.T) {
	for _, test := range []struct {
		text string
		a, b uint32 // 0 is unknown
	}{
		{"0x01 0x02", 1, 2},
		{"0x1 0x2", 1, 2},
		{"1 2", 1, 2},
		{"01 02", 1, 2},
		{"0x0A 0x0b", 10, 11},
		{"0a 0b", 10, 11},
		{"10 11", 10, 11},
		{"0X03\t0X04", 3, 4},
		{"0x01,0x02", 1, 2},
		{"0x01\n0x02", 1, 2},
		{"0x00 0x01", 0, 1},
		{"0x00 0x00", 0, 0},
		{"0x0c 0x01", 0, 1},
		{"0xff 0xff", 0, 0},
		{"0x01", 0, 0},
		{"0x01 0x02 0x03", 0, 0},
		{"", 0, 0},
		{"- -", 0, 0},
		{"0x 0x", 0, 0},
		{"-1 -1", 0, 0},
		{"0x101 1", 0, 1},
	} {
		a, b := parseLifeTime(test.text)
		if value(a) != test.a || value(b) != test.b {
			t.Errorf("%q: %d and %d, want %d and %d", test.text, value(a), value(b), test.a, test.b)
		}
	}
}

func value(n *uint32) uint32 {
	if n == nil {
		return 0
	}
	return *n
}

func FuzzParseLifeTime(f *testing.F) {
	for _, text := range []string{"0x01 0x02", "0b 0B", "1,2", "0x00 0x00", "+1 0_1", "0x+1 1e1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, b := parseLifeTime(text)
		for _, n := range []*uint32{a, b, parseWear(text, 3)} {
			if n != nil && (*n < 1 || *n > 11) {
				t.Fatalf("%q: %d", text, *n)
			}
		}
	})
}

func TestResetReason(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  wire.ResetReason
	}{
		{"nobody tells", nil, wire.ResetReason_RESET_REASON_UNSPECIFIED},
		{"a watchdog that did nothing", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "0\n"}, wire.ResetReason_RESET_REASON_UNSPECIFIED},
		{"the second watchdog", map[string]string{
			"sys/class/watchdog/watchdog0/bootstatus": "0\n", "sys/class/watchdog/watchdog1/bootstatus": "0x20\n",
		}, wire.ResetReason_RESET_REASON_WATCHDOG},
		{"heat", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "1\n"}, wire.ResetReason_RESET_REASON_OVERHEATED},
		{"low voltage", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "16\n"}, wire.ResetReason_RESET_REASON_BROWNOUT},
		{"high voltage", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "64\n"}, wire.ResetReason_RESET_REASON_OVERVOLTAGE},
		{"a line from outside", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "4\n"}, wire.ResetReason_RESET_REASON_EXTERNAL},
		{"a fan alone is no reason", map[string]string{"sys/class/watchdog/watchdog0/bootstatus": "2\n"}, wire.ResetReason_RESET_REASON_UNSPECIFIED},
		{"the chip", map[string]string{"sys/bus/platform/devices/f8048000.rstc/power_on_reason": "RTC wakeup\n"}, wire.ResetReason_RESET_REASON_WAKEUP},
		{"the watchdog before the chip", map[string]string{
			"sys/class/watchdog/watchdog0/bootstatus":                "32\n",
			"sys/bus/platform/devices/f8048000.rstc/power_on_reason": "software reset\n",
		}, wire.ResetReason_RESET_REASON_WATCHDOG},
		{"the boot loader", map[string]string{"proc/cmdline": "quiet androidboot.bootreason=reboot,ota\n"}, wire.ResetReason_RESET_REASON_SOFTWARE},
		{"the boot loader, heat", map[string]string{"proc/cmdline": "bootreason=shutdown,thermal,tj\n"}, wire.ResetReason_RESET_REASON_OVERHEATED},
		{"another argument", map[string]string{"proc/cmdline": "mybootreason=watchdog\n"}, wire.ResetReason_RESET_REASON_UNSPECIFIED},
		{"nonsense", map[string]string{
			"sys/class/watchdog/watchdog0/bootstatus":         "yes\n",
			"sys/bus/platform/devices/1.rstc/power_on_reason": "unknown reason\n",
			"proc/cmdline": "bootreason=bootreason\n",
		}, wire.ResetReason_RESET_REASON_UNSPECIFIED},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range test.files {
				write(t, filepath.Join(root, name), content)
			}
			if err := os.MkdirAll(filepath.Join(root, "sys"), 0o755); err != nil {
				t.Fatal(err)
			}
			if got := readResetReason(sysfs(filepath.Join(root, "sys")), filepath.Join(root, "proc")); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
