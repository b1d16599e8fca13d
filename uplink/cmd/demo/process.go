package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that can be killed and started again. Its output goes to a log file.
type process struct {
	name string
	path string
	args []string
	log  string

	mu      sync.Mutex // guards everything below
	cmd     *exec.Cmd
	ended   chan struct{}
	kills   int
	written uint64 // bytes to the disk, of all processes so far
}

func newProcess(dir, name, path string, args ...string) *process {
	return &process{name: name, path: path, args: args, log: filepath.Join(dir, name+".log")}
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is for the demo, which then stops it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.cmd, p.ended = cmd, ended
	return nil
}

// kill ends the process as a power switch would: SIGKILL, no warning.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written += p.diskBytes()
	p.kills++
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks the process to end, and insists after patience.
func (p *process) stop(patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// diskWritten returns how many bytes the process and its killed predecessors had written to the disk.
func (p *process) diskWritten() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written + p.diskBytes()
}

// diskBytes reads write_bytes of /proc/PID/io: what the process caused to be sent to the storage layer.
func (p *process) diskBytes() uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, "write_bytes: "); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}
