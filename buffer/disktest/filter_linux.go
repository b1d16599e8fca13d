//go:build amd64 || arm64

package disktest

import "golang.org/x/sys/unix"

// Where the classic BPF program finds things in struct seccomp_data, on little-endian machines.
const (
	dataNR   = 0
	dataArgs = 16
)

// filter returns the program that says which calls are for the disk to answer. Calls that change files in ways that the
// disk does not know fail with ENOSYS, so that none goes unseen; the Go runtime then takes plain reads and writes.
func filter() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		above = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
		any   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	arg := func(i uint32) unix.SockFilter { return unix.SockFilter{Code: load, K: dataArgs + 8*i} }
	answer := func(with uint32) unix.SockFilter { return unix.SockFilter{Code: ret, K: with} }
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		notify = unix.SECCOMP_RET_USER_NOTIF
		refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	program := []unix.SockFilter{{Code: load, K: dataNR}}
	// on adds what becomes of one call; the program must end in an answer.
	on := func(nr uint32, then ...unix.SockFilter) {
		program = append(program, unix.SockFilter{Code: equal, K: nr, Jf: uint8(len(then))})
		program = append(program, then...)
	}
	for _, nr := range []uint32{
		unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE,
		unix.SYS_TRUNCATE, unix.SYS_FALLOCATE, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT,
	} {
		on(nr, answer(notify))
	}
	for _, nr := range []uint32{
		unix.SYS_PWRITEV2, unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE, unix.SYS_OPENAT2, unix.SYS_LINKAT,
		unix.SYS_SYMLINKAT, unix.SYS_IO_URING_SETUP,
	} {
		on(nr, answer(refuse))
	}
	// The standard descriptors are the test's own pipes.
	on(unix.SYS_WRITE, arg(0), unix.SockFilter{Code: above, K: 2, Jf: 1}, answer(notify), answer(allow))
	on(unix.SYS_OPENAT, arg(2), unix.SockFilter{Code: any, K: unix.O_CREAT | unix.O_TRUNC, Jf: 1}, answer(notify), answer(allow))
	on(unix.SYS_MMAP,
		arg(2), unix.SockFilter{Code: any, K: unix.PROT_WRITE, Jf: 4},
		arg(3), unix.SockFilter{Code: any, K: unix.MAP_ANON, Jt: 2},
		unix.SockFilter{Code: any, K: unix.MAP_SHARED, Jf: 1}, answer(refuse), answer(allow))
	return append(program, answer(allow))
}
