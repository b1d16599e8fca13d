package hal

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
)

// Requests of /dev/i2c-N: include/uapi/linux/i2c-dev.h.
const (
	i2cSlave = 0x0703
	i2cFuncs = 0x0705
	i2cPEC   = 0x0708
	i2cSMBus = 0x0720
)

// Parts of those requests: include/uapi/linux/i2c.h.
const (
	i2cFuncI2C     = 0x1
	smbusRead      = 1
	smbusWordData  = 3
	smbusBlockData = 5
	smbusBlockMax  = 32
)

// errNotSMBus means that a transfer is not one of the two that gauges need.
var errNotSMBus = errors.New("not a transfer of SMBus")

// smbus is a bus whose adapter knows the transfers of SMBus and no others, as those of PC chipsets and the kernel's i2c-stub:
// it reads words and blocks. The kernel checks packet error codes then, and keeps them; the bus puts them back, so that a
// driver finds the same answers on every bus.
type smbus struct {
	fd        int
	number    int
	transfers bool // whether the adapter knows I2C_RDWR
}

// smbusRequest is struct i2c_smbus_ioctl_data.
type smbusRequest struct {
	readWrite uint8
	command   uint8
	size      uint32
	data      *smbusData
}

// smbusData is union i2c_smbus_data: a word in the order of the processor, or a block that begins with its length.
type smbusData [smbusBlockMax + 2]byte

// openSMBus opens a bus by its number.
func openSMBus(number int) (*smbus, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(fmt.Sprintf("/dev/i2c-%d", number), unix.O_RDWR|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open bus %d: %w", number, err)
	}
	var functions uintptr // unsigned long
	if err := ioctlAt(fd, i2cFuncs, unsafe.Pointer(&functions)); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot ask what bus %d can do: %w", number, err)
	}
	return &smbus{fd: fd, number: number, transfers: functions&i2cFuncI2C != 0}, nil
}

// Close closes the bus.
func (s *smbus) Close() error { return unix.Close(s.fd) }

// String returns the name of the bus.
func (s *smbus) String() string { return fmt.Sprintf("SMBus%d", s.number) }

// SetSpeed fails: the adapter's driver sets the speed.
func (s *smbus) SetSpeed(physic.Frequency) error { return errNotSMBus }

// Tx reads the register whose number is written: a word into 2 bytes, a block into 33, each with its packet error code into
// one more.
func (s *smbus) Tx(address uint16, w, r []byte) error {
	if len(w) != 1 {
		return errNotSMBus
	}
	request := smbusRequest{readWrite: smbusRead, command: w[0], data: new(smbusData)}
	withPEC := false
	switch len(r) {
	case 2, 3:
		request.size, withPEC = smbusWordData, len(r) == 3
	case smbusBlockMax + 1, smbusBlockMax + 2:
		request.size, withPEC = smbusBlockData, len(r) == smbusBlockMax+2
	default:
		return errNotSMBus
	}
	if err := s.ask(address, &request, withPEC); err != nil {
		return fmt.Errorf("cannot read from bus %d: %w", s.number, err)
	}
	length := 2
	if request.size == smbusWordData {
		value := *(*uint16)(unsafe.Pointer(request.data))
		r[0], r[1] = byte(value), byte(value>>8)
	} else {
		length = 1 + min(int(request.data[0]), smbusBlockMax)
		copy(r, request.data[:length])
	}
	if withPEC {
		sum := crc8(0, byte(address<<1), w[0], byte(address<<1|1))
		r[length] = crc8(sum, r[:length]...)
	}
	return nil
}

// ask makes a request of the chip at an address. The kernel refuses it when a driver of its own has the chip.
func (s *smbus) ask(address uint16, request *smbusRequest, withPEC bool) error {
	if err := ioctl(s.fd, i2cSlave, uintptr(address)); err != nil {
		return err
	}
	var pec uintptr
	if withPEC {
		pec = 1
	}
	if err := ioctl(s.fd, i2cPEC, pec); err != nil {
		return err
	}
	return ioctlAt(s.fd, i2cSMBus, unsafe.Pointer(request))
}
