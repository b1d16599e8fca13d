package hal

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/process"

	"github.com/stampd/stampd/uplink/wire"
)

// application reads how one process performs, by gopsutil from /proc/<pid>. Each source fails on its own; the error is
// ErrGone when there is no such process.
func (m *machine) application(ctx context.Context, name string, pid int) (*wire.AppPerformance, error) {
	ctx = m.rooted(ctx)
	p, err := process.NewProcessWithContext(ctx, int32(pid))
	if err != nil {
		return nil, fmt.Errorf("cannot read process %d: %w", pid, ErrGone)
	}
	reading := &wire.AppPerformance{App: cleanName(name)}
	if memory, err := p.MemoryInfoWithContext(ctx); err == nil {
		reading.RssBytes = &memory.RSS
	}
	if times, err := p.TimesWithContext(ctx); err == nil {
		reading.CpuMs = new(uint64(math.Round(1000 * (times.User + times.System))))
	}
	if threads, err := p.NumThreadsWithContext(ctx); err == nil && threads > 0 {
		reading.Threads = new(uint32(threads))
	}
	if files, err := p.NumFDsWithContext(ctx); err == nil && files >= 0 {
		if pid == os.Getpid() {
			files-- // the directory that counting them opens
		}
		reading.OpenFiles = new(uint32(files))
	}
	reading.UptimeSeconds = uptimeOf(ctx, p)
	return reading, nil
}

// uptimeOf returns the seconds since a process started, or nil. Both times are made by gopsutil from the same wall
// clock, so that setting the date does not change the difference; it is right to two seconds.
func uptimeOf(ctx context.Context, p *process.Process) *uint64 {
	started, err := p.CreateTimeWithContext(ctx)
	if err != nil {
		return nil
	}
	booted, err := host.BootTimeWithContext(ctx)
	if err != nil {
		return nil
	}
	sinceBoot, known := sinceBoot()
	uptime := sinceBoot.Milliseconds() - (started - int64(booted)*1000)
	if !known {
		return nil
	}
	return new(uint64(max(0, uptime) / 1000))
}
