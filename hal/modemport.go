package hal

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampd/stampd/hal/at"
)

// usbModem is the interface of a USB modem that its AT port is: what udev calls ID_USB_INTERFACE_NUM.
type usbModem struct {
	vendor, product string // in hexadecimal, as sysfs has them; no product means any that is not named
	atInterface     string
}

// usbModems returns the modems that are safe to ask without being told: what else has a tty may be a printer.
//
// Source: ModemManager's 77-mm-*-port-types.rules, which name the primary AT port of each.
func usbModems() []usbModem {
	return []usbModem{
		{"2c7c", "0128", "05"}, // Quectel EM060K over MBIM
		{"2c7c", "", "02"},     // Quectel EC2x, EG2x, EP06, BG9x, RM5xx
		{"1e0e", "9001", "02"}, // SIMCom SIM7xxx
		{"1e0e", "9205", "02"}, // SIMCom SIM7070, SIM7080, SIM7090
		{"1e0e", "9206", "02"},
		{"1546", "1010", "06"}, // u-blox TOBY-L4
		{"1546", "1102", "00"}, // u-blox LISA-U2, SARA-U2
		{"1546", "1104", "00"},
		{"1546", "1107", "00"}, // u-blox TOBY-R2
		{"1546", "110a", "00"}, // u-blox LARA-R2
		{"05c6", "908b", "01"}, // u-blox LARA-R6
	}
}

// modemPort finds the AT port of a modem.
type modemPort struct {
	sys sysfs
	dev string // where device nodes are
}

// find returns the path of the AT port of the first modem that is there, in the order of the ports' names.
func (p modemPort) find() (string, error) {
	for _, class := range []struct {
		dir string
		is  func(dir, name string) bool
	}{
		{"class/wwan", p.isWWAN},
		{"class/tty", p.isUSB},
	} {
		entries, err := p.sys.ReadDir(class.dir)
		if err != nil {
			continue
		}
		slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if class.is(class.dir, e.Name()) {
				return filepath.Join(p.dev, e.Name()), nil
			}
		}
	}
	return "", fmt.Errorf("cannot find a modem: %w", at.ErrGone)
}

// isWWAN reports whether the kernel says that a port of its class wwan takes AT commands
// (Documentation/ABI/testing/sysfs-class-wwan; the name has the type since before there is the attribute).
func (p modemPort) isWWAN(dir, name string) bool {
	kind, err := p.sys.ReadFile(path.Join(dir, name, "type"))
	return err == nil && parseText(kind) == "AT"
}

// isUSB reports whether a tty is the AT port of a modem that is known.
func (p modemPort) isUSB(dir, name string) bool {
	if !strings.HasPrefix(name, "ttyUSB") && !strings.HasPrefix(name, "ttyACM") {
		return false
	}
	vendor, product, number := p.usbOf(filepath.Join(string(p.sys), dir, name))
	for _, m := range usbModems() {
		if m.vendor == vendor && (m.product == product || m.product == "") {
			return m.atInterface == number
		}
	}
	return false
}

// usbOf returns what the USB device of a tty says of itself: the interface is the first directory above the tty's that
// has a bInterfaceNumber, and the device the one above it (Documentation/ABI/stable/sysfs-bus-usb).
func (p modemPort) usbOf(tty string) (vendor, product, number string) {
	const highest = 6 // the tty is three or four below its device
	dir, err := filepath.EvalSymlinks(tty)
	if err != nil {
		return "", "", ""
	}
	read := func(dir, name string) string {
		content, err := sysfs(dir).ReadFile(name)
		if err != nil {
			return ""
		}
		return strings.ToLower(parseText(content))
	}
	for range highest {
		if number = read(dir, "bInterfaceNumber"); number != "" {
			device := filepath.Dir(dir)
			return read(device, "idVendor"), read(device, "idProduct"), number
		}
		dir = filepath.Dir(dir)
	}
	return "", "", ""
}

// watch tells when a port appears.
func (p modemPort) watch() (back <-chan struct{}, stop func(), err error) {
	return at.WatchDirs([]string{p.dev}, func(name string) bool {
		return strings.HasPrefix(name, "ttyUSB") || strings.HasPrefix(name, "ttyACM") || strings.HasPrefix(name, "wwan")
	})
}
