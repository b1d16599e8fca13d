package hal

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"
)

// stubBus is the adapter of the kernel's i2c-stub, which knows SMBus alone: Documentation/i2c/i2c-stub.rst. The module has
// to be there, with chips at 0x0b, 0x36 and 0x55.
const stubBus = "SMBus stub driver"

// stub puts words into a chip of i2c-stub, as the chip has them on the bus. It skips the test where there is none.
func stub(t *testing.T, address uint16, order binary.ByteOrder, words map[byte]uint16) {
	t.Helper()
	number, err := i2cNumber(sysfs("/sys"), stubBus)
	if err != nil {
		t.Skip("the kernel has no i2c-stub")
	}
	bus, err := openSMBus(number)
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	if bus.transfers {
		t.Error("the stub knows I2C_RDWR: the other way is tested")
	}
	for register, value := range words {
		const smbusWrite = 0
		request := smbusRequest{readWrite: smbusWrite, command: register, size: smbusWordData, data: new(smbusData)}
		order.PutUint16(request.data[:], value)
		if err := ioctl(bus.fd, i2cSlave, uintptr(address)); err != nil {
			t.Fatal(err)
		}
		if err := ioctlAt(bus.fd, i2cSMBus, unsafe.Pointer(&request)); err != nil {
			t.Fatal(err)
		}
	}
}

// Every chip is read from a real adapter of SMBus, and what is there as a device of the kernel's is found.
func TestKernelSMBusStub(t *testing.T) {
	for _, test := range []struct {
		chip  GaugeChip
		words map[byte]uint16
		uv    int64
	}{
		{max17048Chip, map[byte]uint16{0x02: 0xC350, 0x04: 0x3280, 0x08: 0x0012, 0x16: 0x00C8}, 3_906_250},
		{bq27441Chip, map[byte]uint16{0x02: 0x0BA6, 0x04: 3842, 0x06: 9, 0x0E: 2480, 0x10: 0xFE0C, 0x1C: 77, 0x3C: 2600}, 3_842_000},
		{sbsChip, map[byte]uint16{0x08: 2982, 0x09: 11423, 0x0A: 0xFE0C, 0x0D: 81, 0x10: 4310, 0x16: 0xC0, 0x18: 4400, 0x1A: 0x31}, 11_423_000},
	} {
		t.Run(test.chip.name, func(t *testing.T) {
			stub(t, test.chip.address, test.chip.order, test.words)
			open, _ := os.ReadDir("/proc/self/fd")
			g := NewGauge("stub", test.chip, 0, i2cOpener(sysfs("/sys"), stubBus))
			for range 100 {
				r, err := g.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.GetVoltageUv() != test.uv {
					t.Fatalf("%d µV, want %d", r.GetVoltageUv(), test.uv)
				}
			}
			if after, _ := os.ReadDir("/proc/self/fd"); len(after) > len(open) {
				t.Errorf("%d descriptors, %d before", len(after), len(open))
			}
		})
	}
}

// What an adapter of any kind has no chip for is gone, or does not answer in time.
func TestKernelBusWithoutChip(t *testing.T) {
	found, _ := filepath.Glob("/dev/i2c-*")
	if len(found) == 0 {
		t.Skip("the kernel has no I²C bus")
	}
	for _, bus := range found {
		if !strings.HasPrefix(bus, "/dev/i2c-") {
			continue
		}
		r, err := NewGauge("none", bq27z561Chip, 0x44, i2cOpener(sysfs("/sys"), bus)).Read(t.Context())
		if err == nil || strings.Contains(err.Error(), ErrUnusable.Error()) {
			t.Errorf("%s: %v, %v", bus, r, err)
		}
	}
}
