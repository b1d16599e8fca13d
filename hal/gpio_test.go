package hal

import (
	"testing"
	"unsafe"
)

// The kernel knows a request by the size of its structure, which must be the same on every processor.
func TestGPIOLayout(t *testing.T) {
	for _, s := range []struct {
		name      string
		got, want uintptr
	}{
		{"gpiochip_info", unsafe.Sizeof(gpioChip{}), 68},
		{"gpio_v2_line_info", unsafe.Sizeof(gpioLine{}), 256},
		{"gpio_v2_line_request", unsafe.Sizeof(gpioRequest{}), 592},
		{"gpio_v2_line_values", unsafe.Sizeof(gpioValues{}), 16},
		{"gpio_v2_line_request.config", unsafe.Offsetof(gpioRequest{}.config), 288},
		{"gpio_v2_line_request.fd", unsafe.Offsetof(gpioRequest{}.fd), 588},
		{"GPIO_GET_CHIPINFO_IOCTL", gpioGetChip, 0x8044B401},
		{"GPIO_V2_GET_LINEINFO_IOCTL", gpioGetLine, 0xC100B405},
		{"GPIO_V2_GET_LINE_IOCTL", gpioRequestLine, 0xC250B407},
		{"GPIO_V2_LINE_GET_VALUES_IOCTL", gpioGetValues, 0xC010B40E},
	} {
		if s.got != s.want {
			t.Errorf("%s is %#x, want %#x", s.name, s.got, s.want)
		}
	}
}
