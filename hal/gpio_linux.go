package hal

import (
	"strconv"
	"unsafe"
)

// The kernel's structures for lines, the second version: include/uapi/linux/gpio.h. All have the same layout on 32 and on
// 64 bits.
type (
	gpioChip struct {
		name, label [32]byte
		lines       uint32
	}
	gpioLine struct {
		name, consumer   [32]byte
		offset, numAttrs uint32
		flags            uint64
		attrs            [10]gpioAttribute
		_                [4]uint32
	}
	gpioAttribute struct {
		id, _ uint32
		value uint64
	}
	gpioConfig struct {
		flags    uint64
		numAttrs uint32
		_        [5]uint32
		attrs    [10]struct {
			gpioAttribute
			mask uint64
		}
	}
	gpioRequest struct {
		offsets         [64]uint32
		consumer        [32]byte
		config          gpioConfig
		numLines        uint32
		eventBufferSize uint32
		_               [5]uint32
		fd              int32
	}
	gpioValues struct{ bits, mask uint64 }
)

// gpioEventSize is the size of struct gpio_v2_line_event.
const gpioEventSize = 48

// Requests, as _IOR and _IOWR make them of the size of their structure.
const (
	gpioGetChip     = 2<<30 | unsafe.Sizeof(gpioChip{})<<16 | 0xB4<<8 | 0x01
	gpioGetLine     = 3<<30 | unsafe.Sizeof(gpioLine{})<<16 | 0xB4<<8 | 0x05
	gpioRequestLine = 3<<30 | unsafe.Sizeof(gpioRequest{})<<16 | 0xB4<<8 | 0x07
	gpioGetValues   = 3<<30 | unsafe.Sizeof(gpioValues{})<<16 | 0xB4<<8 | 0x0E
)

// Flags of a line.
const (
	lineActiveLow = 1 << 1
	lineInput     = 1 << 2
	lineEdges     = 1<<4 | 1<<5 // rising and falling
)

// pullFlags are the flags of each pull.
var pullFlags = map[Pull]uint64{PullAsIs: 0, PullUp: 1 << 8, PullDown: 1 << 9, PullOff: 1 << 10}

// lineNumber returns the number that a line is named by, if it is.
func lineNumber(line string) (uint32, bool) {
	n, err := strconv.ParseUint(line, 10, 32)
	return uint32(n), err == nil
}
