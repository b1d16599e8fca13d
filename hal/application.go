package hal

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/stampd/stampd/uplink/wire"
)

// application reads how one process performs, from <proc>/<pid>. What can't be read of it stays unset; the error is ErrGone
// when there is no such process.
func (m *machine) application(_ context.Context, name string, pid int) (*wire.AppPerformance, error) {
	proc := sysfs(m.procRoot)
	p, err := readProcess(proc, pid)
	if err != nil {
		return nil, fmt.Errorf("cannot read process %d: %w", pid, ErrGone)
	}
	reading := &wire.AppPerformance{App: cleanName(name)}
	addUp(reading, proc, []task{p}, p)
	return reading, nil
}

// addUp puts what processes use into a reading, and how long the oldest has been running.
func addUp(reading *wire.AppPerformance, proc fs.FS, of []task, oldest task) {
	var rss, cpu uint64
	var threads uint32
	files := new(uint32)
	for _, p := range of {
		rss, cpu, threads = rss+p.rss, cpu+p.cpu, threads+p.threads
		if n, known := openFiles(proc, p.pid); known && files != nil {
			*files += n
		} else {
			files = nil // some of them are another user's
		}
	}
	if rss > 0 { // the kernel counts on each processor apart, and what it has not added up yet of a small one can be all of it
		reading.RssBytes = new(min(rss, maxCounter))
	}
	reading.CpuMs, reading.OpenFiles = new(min(cpu, maxCounter)), files
	if threads > 0 {
		reading.Threads = &threads
	}
	if boot, known := sinceBoot(); known {
		reading.UptimeSeconds = new(uint64(max(0, boot-oldest.started).Seconds()))
	}
}

// openFiles counts the open files of a process. Only its own user and root may.
func openFiles(proc fs.FS, pid int) (count uint32, known bool) {
	entries, err := fs.ReadDir(proc, strconv.Itoa(pid)+"/fd")
	if err != nil {
		return 0, false
	}
	n := len(entries)
	if pid == os.Getpid() {
		n-- // the directory that counting them opens
	}
	return uint32(max(0, n)), true
}
