package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a program may take to stop.
const stopPatience = 8 * time.Second

// process is a running program, and what the kernel counts of it (proc(5)).
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startProcess runs a program with its output in a file.
func startProcess(log, program string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", filepath.Base(program), err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	return p, nil
}

// stop asks the program to end, and insists after a while.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// cpu returns the processor time of all threads so far, to the nanosecond (Documentation/scheduler/sched-stats.rst).
func (p *process) cpu() time.Duration {
	var total int64
	tasks, _ := filepath.Glob(p.file("task/*/schedstat"))
	for _, task := range tasks {
		raw, _ := os.ReadFile(task)
		running, _, _ := strings.Cut(string(raw), " ")
		n, _ := strconv.ParseInt(running, 10, 64)
		total += n
	}
	return time.Duration(total)
}

// wakeups returns how often its threads have gone to sleep so far, of their own accord: so often has something woken one
// (voluntary_ctxt_switches, proc(5)).
func (p *process) wakeups() (n uint64) {
	tasks, _ := filepath.Glob(p.file("task/*"))
	for _, task := range tasks {
		n += p.count(filepath.Join("task", filepath.Base(task), "status"), "voluntary_ctxt_switches")
	}
	return n
}

// memory is what a process has in memory, in MB.
type memory struct {
	now, peak float64
	anonymous float64 // of now, what no file backs: heap and stacks
}

func (p *process) memory() memory {
	mb := func(name string) float64 { return float64(p.count("status", name)) * 1024 / 1e6 }
	return memory{mb("VmRSS"), mb("VmHWM"), mb("RssAnon")}
}

// written returns the bytes that the process has caused to be sent to the storage layer, also after its end (getrusage(2)
// counts them in blocks of 512 bytes then).
func (p *process) written() uint64 {
	select {
	case <-p.ended:
		return 512 * uint64(p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Oublock)
	default:
		return p.count("io", "write_bytes")
	}
}

// count reads one line "name: number" of a file.
func (p *process) count(file, name string) uint64 {
	raw, _ := os.ReadFile(p.file(file))
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

func (p *process) file(name string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name)
}
