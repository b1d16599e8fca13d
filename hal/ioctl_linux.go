package hal

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl makes a request of a device, with a number.
func ioctl(fd int, request, argument uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		return errno
	}
	return nil
}

// ioctlAt makes a request of a device, with what is at an address.
func ioctlAt(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
