package hal_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
)

// usbTTY makes sysfs know a tty of a USB device, as the kernel lays it out: links from the class to the device.
func usbTTY(t *testing.T, sys, tty, vendor, product, number string) {
	t.Helper()
	device := filepath.Join(sys, "devices/usb1/1-1")
	port := filepath.Join(device, "1-1:1."+number, tty, "tty", tty)
	class := filepath.Join(sys, "class/tty")
	for _, dir := range []string{port, class} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{
		filepath.Join(device, "idVendor"):                              vendor,
		filepath.Join(device, "idProduct"):                             product,
		filepath.Join(device, "1-1:1."+number, "bInterfaceNumber"):     number,
		filepath.Join(device, "1-1:1."+number, "bNumEndpoints"):        "03",
		filepath.Join(device, "1-1:1."+number, tty, "latency_timer"):   "1",
		filepath.Join(device, "1-1:1."+number, tty, "tty", tty, "dev"): "188:2",
	} {
		if err := os.WriteFile(name, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../devices/usb1/1-1/1-1:1."+number+"/"+tty+"/tty/"+tty, filepath.Join(class, tty)); err != nil {
		t.Fatal(err)
	}
}

// A modem whose port is not known is found by its USB numbers, also one that comes later, and nothing else is asked.
func TestBoardModemAuto(t *testing.T) {
	for _, test := range []struct {
		name                    string
		vendor, product, number string
		found                   bool
	}{
		{"Quectel EC25, AT", "2c7c", "0125", "02", true},
		{"Quectel EC25, diagnostics", "2c7c", "0125", "00", false},
		{"Quectel EM060K, AT", "2c7c", "0128", "05", true},
		{"Quectel EM060K, other", "2c7c", "0128", "02", false},
		{"SIMCom SIM7600, AT", "1e0e", "9001", "02", true},
		{"u-blox LARA-R6, AT", "05c6", "908b", "01", true},
		{"u-blox GNSS", "1546", "01a8", "00", false},
		{"a receipt printer", "04b8", "0202", "02", false},
		{"an FTDI converter", "0403", "6001", "00", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys, dev := t.TempDir(), t.TempDir()
			board := hal.Open(hal.Profile{SysRoot: sys, DevRoot: dev, Modem: hal.ModemAuto, SystemBus: hal.NoBus})
			defer board.Close()
			expectModemParts(t, board, hal.Part{Name: "modem/auto", Driver: "at", Detail: "not there"})

			tr, want := transcript(t, "../testdata/at/quectel-ec25.txtar")
			want.Name = hal.ModemAuto
			virtual := haltest.NewModem(tr)
			usbTTY(t, sys, "ttyUSB2", test.vendor, test.product, test.number)
			slot := haltest.NewSlot(filepath.Join(dev, "ttyUSB2"))
			if err := slot.Plug(virtual); err != nil {
				t.Fatal(err)
			}
			defer slot.Unplug()
			if test.found {
				awaitNews(t, board)
				expectModems(t, board, want)
				expectModemParts(t, board, hal.Part{Name: "modem/auto", Driver: "at", OK: true})
				return
			}
			time.Sleep(200 * time.Millisecond) // time for an attempt that must not come
			if got := board.Modems(t.Context()); len(got) > 0 || len(virtual.Asked()) > 0 {
				t.Errorf("read %v, asked %q", got, virtual.Asked())
			}
		})
	}
}

// What the modem says by itself is told of at once, and Found knows at once when it is unplugged.
func TestBoardModemNews(t *testing.T) {
	tr, want := transcript(t, "../testdata/at/simcom-sim7600.txtar")
	virtual := haltest.NewModem(tr)
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	if err := slot.Plug(virtual); err != nil {
		t.Fatal(err)
	}
	defer slot.Unplug()
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: slot.Path(), SystemBus: hal.NoBus})
	defer board.Close()
	expectModems(t, board, want)
	drain(board)

	virtual.Say("+CEREG: 1,21F9,4EC53,7") // another cell is no news
	virtual.Say("RING")
	time.Sleep(50 * time.Millisecond) // time for news that must not come
	select {
	case <-board.ModemNews():
		t.Error("news of another cell")
	default:
	}
	virtual.Say("+CEREG: 2")
	awaitNews(t, board)
	virtual.Say("+CPIN: NOT READY")
	awaitNews(t, board)

	slot.Unplug()
	awaitNews(t, board)
	expectModemParts(t, board, hal.Part{Name: "modem/ttyUSB2", Driver: "at", Detail: "not there"})
	if err := slot.Plug(virtual); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, board)
	expectModems(t, board, want)
}

// A profile without a modem has none, and one whose modem is off too.
func TestBoardModemOff(t *testing.T) {
	for _, modem := range []string{"", hal.ModemOff} {
		board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: modem})
		if got := board.Modems(t.Context()); len(got) > 0 {
			t.Errorf("%q: read %v", modem, got)
		}
		expectModemParts(t, board)
		board.Close()
	}
}
