//go:build amd64 || arm64

package disktest

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// call is one call of the process, on its way to the disk.
type call struct {
	*notification
	process *Process
	disk    *Disk
	op      Op
	fd      int // ours, of the same open file as the process's; -1 when there is none
	fault   Fault
}

// answer makes a call, or has the kernel make it when it is not about the disk's files.
func (p *Process) answer(n *notification) error {
	p.mu.Lock()
	c := &call{notification: n, process: p, disk: p.disk, fd: -1}
	p.mu.Unlock()
	if c.disk == nil {
		return let(p.listener, n.id)
	}
	ours, err := c.read()
	defer c.close()
	if err != nil {
		return errors.Join(err, reply(p.listener, n.id, 0, unix.EIO))
	}
	if !ours {
		return let(p.listener, n.id)
	}
	c.fault = c.disk.next(c.op)
	if c.fault.Kill == Before {
		return unix.Kill(p.pid, unix.SIGKILL)
	}
	value, err := c.make()
	var errno unix.Errno
	switch {
	case c.fault.Kill == After:
		return unix.Kill(p.pid, unix.SIGKILL)
	case errors.As(err, &errno):
		return reply(p.listener, n.id, 0, errno)
	case err != nil:
		return errors.Join(err, reply(p.listener, n.id, 0, unix.EIO))
	case c.nr == unix.SYS_OPENAT:
		err := give(p.listener, n.id, int(value), c.args[2]&unix.O_CLOEXEC != 0)
		return errors.Join(err, unix.Close(int(value)))
	}
	return reply(p.listener, n.id, value, 0)
}

// read finds out what the call is to do, and whether to a file of the disk.
func (c *call) read() (ours bool, err error) {
	switch c.nr {
	case unix.SYS_OPENAT, unix.SYS_UNLINKAT, unix.SYS_MKDIRAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c.op.Path, err = c.path(0, 1)
	case unix.SYS_TRUNCATE:
		c.op.Path, err = c.path(-1, 0)
	default:
		c.op.Path, err = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.pid, int32(c.args[0])))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil // the kernel will say EBADF
		}
	}
	if err != nil || !c.disk.holds(c.op.Path) {
		return false, err
	}
	switch c.nr {
	case unix.SYS_OPENAT:
		c.op.Kind = Create
		if _, err := os.Lstat(c.op.Path); err == nil {
			c.op.Kind = Resize
			if c.args[2]&unix.O_TRUNC == 0 {
				return false, nil // it is there, and stays as it is
			}
		}
	case unix.SYS_MKDIRAT:
		c.op.Kind = Create
		if _, err := os.Lstat(c.op.Path); err == nil {
			return false, nil
		}
	case unix.SYS_UNLINKAT:
		c.op.Kind = Remove
		if _, err := os.Lstat(c.op.Path); err != nil {
			return false, nil
		}
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c.op.Kind = Rename
		if _, err := os.Lstat(c.op.Path); err != nil {
			return false, nil
		}
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		c.op.Kind = Sync
	case unix.SYS_FTRUNCATE, unix.SYS_TRUNCATE:
		c.op.Kind, c.op.Length = Resize, int64(c.args[1])
	case unix.SYS_FALLOCATE:
		c.op.Kind, c.op.Length = Resize, int64(c.args[2]+c.args[3])
	default:
		c.op.Kind = Write
	}
	if c.op.Kind == Write || c.op.Kind == Sync || c.nr == unix.SYS_FTRUNCATE || c.nr == unix.SYS_FALLOCATE {
		if c.fd, err = unix.PidfdGetfd(c.process.pidfd, int(int32(c.args[0])), 0); err != nil {
			return false, err
		}
	}
	if c.op.Kind == Write {
		err = c.measure()
	}
	return true, err
}

func (c *call) close() {
	if c.fd >= 0 {
		_ = unix.Close(c.fd)
	}
}
