//go:build amd64 || arm64

package disktest

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attachFD is where a process that was started by [Start] finds its end of the socket: its first extra file.
const attachFD = 3

// Attach hands the calls of this process that change files to the process that started it with [Start]. It can't be
// undone, and is for the start of a program, on any goroutine.
func Attach() error {
	listener, err := install()
	if err != nil {
		_ = unix.Sendmsg(attachFD, []byte(err.Error()), nil, nil, 0)
		return fmt.Errorf("cannot attach to the disk: %w", err)
	}
	if err := unix.Sendmsg(attachFD, []byte("listener"), unix.UnixRights(listener), nil, 0); err != nil {
		return fmt.Errorf("cannot attach to the disk: %w", err)
	}
	return errors.Join(unix.Close(listener), unix.Close(attachFD))
}

// install puts the filter on every thread and returns its listener.
func install() (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	program := filter()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC |
		unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
