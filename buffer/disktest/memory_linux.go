//go:build amd64 || arm64

package disktest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// peek reads up to n bytes of the process's memory, less when what follows is not mapped.
func (c *call) peek(at uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	if n == 0 {
		return b, nil
	}
	got, err := unix.ProcessVMReadv(c.process.pid,
		[]unix.Iovec{{Base: &b[0], Len: uint64(n)}}, []unix.RemoteIovec{{Base: uintptr(at), Len: n}}, 0)
	return b[:max(got, 0)], err
}

// path returns the absolute path that two arguments name: a directory's descriptor, if dir is not negative, and a string.
func (c *call) path(dir, name int) (string, error) {
	var path []byte
	for at := c.args[name]; ; {
		b, err := c.peek(at, page-int(at%page)) // a string may end where memory does
		if err != nil {
			return "", fmt.Errorf("cannot read a path: %w", err)
		}
		s, _, found := bytes.Cut(b, []byte{0})
		path = append(path, s...)
		if found || len(path) > unix.PathMax {
			break
		}
		at += uint64(len(b))
	}
	if filepath.IsAbs(string(path)) {
		return filepath.Clean(string(path)), nil
	}
	base := fmt.Sprintf("/proc/%d/cwd", c.pid)
	if dir >= 0 && int32(c.args[dir]) != unix.AT_FDCWD {
		base = fmt.Sprintf("/proc/%d/fd/%d", c.pid, int32(c.args[dir]))
	}
	base, err := os.Readlink(base)
	return filepath.Join(base, string(path)), err
}

// measure finds the place and the length of a write.
func (c *call) measure() error {
	c.op.Length = int64(c.args[2])
	if c.nr == unix.SYS_WRITEV || c.nr == unix.SYS_PWRITEV {
		vectors, err := c.vectors()
		if err != nil {
			return err
		}
		c.op.Length = 0
		for _, v := range vectors {
			c.op.Length += int64(v[1])
		}
	}
	if c.nr == unix.SYS_PWRITE64 || c.nr == unix.SYS_PWRITEV {
		c.op.Offset = int64(c.args[3])
		return nil
	}
	whence := unix.SEEK_CUR
	if flags, err := unix.FcntlInt(uintptr(c.fd), unix.F_GETFL, 0); err == nil && flags&unix.O_APPEND != 0 {
		whence = unix.SEEK_END
	}
	var err error
	c.op.Offset, err = unix.Seek(c.fd, 0, whence)
	return err
}

// data returns what a write is to write.
func (c *call) data() ([]byte, error) {
	if c.nr != unix.SYS_WRITEV && c.nr != unix.SYS_PWRITEV {
		return c.peek(c.args[1], int(c.args[2]))
	}
	vectors, err := c.vectors()
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, v := range vectors {
		b, err := c.peek(v[0], int(v[1]))
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// vectors returns the addresses and lengths of a writev.
func (c *call) vectors() ([][2]uint64, error) {
	const size = 16 // of struct iovec
	b, err := c.peek(c.args[1], int(c.args[2])*size)
	if err != nil {
		return nil, err
	}
	vectors := make([][2]uint64, len(b)/size)
	for i := range vectors {
		vectors[i][0] = binary.LittleEndian.Uint64(b[i*size:])
		vectors[i][1] = binary.LittleEndian.Uint64(b[i*size+8:])
	}
	return vectors, nil
}
