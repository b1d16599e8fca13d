package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// diskSize is how large a disk of its own is, in MiB: above ext4's small-disk defaults, and more than any measure writes.
const diskSize = 1024

// disk is where a queue lies whose writes are counted.
type disk struct {
	dir     string
	counter string // the device's counters (Documentation/block/stat.rst); empty when they can't be read
	own     bool   // nobody else writes to it
}

// writes is what a disk has taken.
type writes struct {
	bytes, flushes float64
}

// newDisk returns a file system of its own on a loop device. Where that is not allowed, it is a folder, and what the process
// itself has caused to be written is counted in place of what reached the device.
func (l *lab) newDisk() (*disk, error) {
	image := filepath.Join(l.dir, "disk.img")
	d := &disk{dir: filepath.Join(l.dir, "disk")}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() != 0 || os.WriteFile(image, nil, 0o600) != nil || os.Truncate(image, diskSize<<20) != nil {
		return d, nil
	}
	for _, args := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image},
		{"mount", "-o", "loop,noatime", image, d.dir},
	} {
		if exec.CommandContext(l.ctx, args[0], args[1:]...).Run() != nil {
			return d, nil
		}
	}
	d.own = true
	var st syscall.Stat_t
	if err := syscall.Stat(d.dir, &st); err != nil {
		return nil, err
	}
	d.counter = fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev))
	_, err := d.writes()
	return d, err
}

func (d *disk) close() {
	if d.own {
		_ = syscall.Unmount(d.dir, 0) // the loop device goes with it
	}
}

// how says what is counted.
func (d *disk) how() string {
	if d.own {
		return "Bytes are sectors written to an ext4 of its own on a loop device, its journal included; flushes are the device's."
	}
	return "Bytes are write_bytes of the process (proc(5)), without what the file system adds: run it as root to count the device's."
}

// writes returns what the device has taken so far, when nothing is left in the page cache.
func (d *disk) writes() (writes, error) {
	dir, err := os.Open(d.dir)
	if err != nil {
		return writes{}, err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return writes{}, fmt.Errorf("cannot settle the disk: %w", err)
	}
	raw, err := os.ReadFile(d.counter)
	if err != nil {
		return writes{}, fmt.Errorf("cannot read the disk's counters: %w", err)
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 17 {
		return writes{}, fmt.Errorf("cannot read the disk's counters: %s has %d fields", d.counter, len(fields))
	}
	sectors, _ := strconv.ParseFloat(fields[6], 64)
	flushes, _ := strconv.ParseFloat(fields[15], 64)
	return writes{bytes: 512 * sectors, flushes: flushes}, nil
}

// count returns what is written while do runs, which may end the process p that writes; nil is this one.
func (d *disk) count(p *process, do func() error) (writes, error) {
	if !d.own {
		if p == nil {
			p = &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
		}
		before := p.written()
		err := do()
		return writes{bytes: float64(p.written() - before)}, err
	}
	before, err := d.writes()
	if err != nil {
		return writes{}, err
	}
	if err := do(); err != nil {
		return writes{}, err
	}
	after, err := d.writes()
	return writes{after.bytes - before.bytes, after.flushes - before.flushes}, err
}
