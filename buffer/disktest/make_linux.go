//go:build amd64 || arm64

package disktest

import (
	"golang.org/x/sys/unix"
)

// make makes the call on the process's behalf and notes what it has changed. Its error is what the process gets.
func (c *call) make() (int64, error) {
	if c.fault.Errno != 0 {
		return 0, c.fail()
	}
	switch c.op.Kind {
	case Write:
		return c.write()
	case Sync:
		if !c.fault.Believe {
			c.disk.synced(inode(c.fd), c.op.Path)
		}
		return 0, nil // there is no need to trouble the real disk
	case Rename:
		to, err := c.path(2, 3)
		if err != nil {
			return 0, err
		}
		var flags uint
		if c.nr == unix.SYS_RENAMEAT2 {
			flags = uint(c.args[4])
		}
		if err := unix.Renameat2(unix.AT_FDCWD, c.op.Path, unix.AT_FDCWD, to, flags); err != nil {
			return 0, err
		}
		c.disk.renamed(c.op.Path, to)
		return 0, nil
	case Remove:
		if err := unix.Unlinkat(unix.AT_FDCWD, c.op.Path, int(c.args[2])); err != nil {
			return 0, err
		}
		c.disk.removed(c.op.Path)
		return 0, nil
	case Create:
		return c.create()
	}
	return c.resize()
}

// fail fails the call.
func (c *call) fail() error {
	if c.op.Kind != Sync {
		return c.fault.Errno
	}
	gone, content := c.disk.syncFailed(inode(c.fd), c.fault.Forget)
	for _, p := range gone {
		if _, err := unix.Pwrite(c.fd, clip(content, p*page, page), int64(p*page)); err != nil {
			return err
		}
	}
	return c.fault.Errno
}

func (c *call) write() (int64, error) {
	data, err := c.data()
	if err != nil {
		return 0, err
	}
	if c.fault.Short {
		data = data[:len(data)/2]
	}
	var n int
	if c.nr == unix.SYS_WRITE || c.nr == unix.SYS_WRITEV {
		n, err = unix.Write(c.fd, data)
	} else {
		n, err = unix.Pwrite(c.fd, data, c.op.Offset)
	}
	if err != nil {
		return 0, err
	}
	c.disk.wrote(inode(c.fd), data[:n], c.op.Offset)
	if flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0); err == nil && flags&unix.O_DSYNC != 0 {
		c.disk.synced(inode(c.fd), c.op.Path)
	}
	return int64(n), nil
}

func (c *call) create() (int64, error) {
	if c.nr == unix.SYS_MKDIRAT {
		if err := unix.Mkdirat(unix.AT_FDCWD, c.op.Path, uint32(c.args[2])); err != nil {
			return 0, err
		}
		var st unix.Stat_t
		if err := unix.Lstat(c.op.Path, &st); err != nil {
			return 0, err
		}
		c.disk.created(c.op.Path, st.Ino, true)
		return 0, nil
	}
	fd, err := c.open()
	if err != nil {
		return 0, err
	}
	c.disk.created(c.op.Path, inode(fd), false)
	return int64(fd), nil
}

// open opens the file as the process would have it. The descriptor is ours until it is given.
func (c *call) open() (int, error) {
	return unix.Open(c.op.Path, int(c.args[2])|unix.O_CLOEXEC, uint32(c.args[3]))
}

func (c *call) resize() (int64, error) {
	switch c.nr {
	case unix.SYS_OPENAT: // with O_TRUNC
		fd, err := c.open()
		if err != nil {
			return 0, err
		}
		c.disk.resized(inode(fd), 0)
		return int64(fd), nil
	case unix.SYS_TRUNCATE:
		var st unix.Stat_t
		if err := unix.Stat(c.op.Path, &st); err != nil {
			return 0, err
		}
		if err := unix.Truncate(c.op.Path, c.op.Length); err != nil {
			return 0, err
		}
		c.disk.resized(st.Ino, c.op.Length)
		return 0, nil
	case unix.SYS_FTRUNCATE:
		if err := unix.Ftruncate(c.fd, c.op.Length); err != nil {
			return 0, err
		}
		c.disk.resized(inode(c.fd), c.op.Length)
		return 0, nil
	}
	var st unix.Stat_t
	if mode := c.args[1]; mode == unix.FALLOC_FL_KEEP_SIZE {
		return 0, nil
	} else if mode != 0 {
		return 0, unix.EOPNOTSUPP
	}
	if err := unix.Fallocate(c.fd, 0, int64(c.args[2]), int64(c.args[3])); err != nil {
		return 0, err
	}
	if err := unix.Fstat(c.fd, &st); err != nil {
		return 0, err
	}
	c.disk.resized(st.Ino, st.Size)
	return 0, nil
}

// inode returns the number of an open file's inode, or 0.
func inode(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}
