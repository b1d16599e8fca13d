package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

// portPatience is how long the port may take to be there after its driver was loaded.
const portPatience = 10 * time.Second

// openPort opens the port that reports go to: the one in /sys/class/virtio-ports that has its name.
func openPort() (*os.File, error) {
	for begin := time.Now(); time.Since(begin) < portPatience; time.Sleep(10 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, file := range names {
			name, _ := os.ReadFile(file)
			if strings.TrimSpace(string(name)) == guest.PortName {
				return os.OpenFile(filepath.Join("/dev", filepath.Base(filepath.Dir(file))), os.O_WRONLY, 0)
			}
		}
	}
	return nil, errors.New("cannot find the port for reports")
}

// reporter sends reports. It is safe for concurrent use.
type reporter struct {
	mu   sync.Mutex // guards the port: a report is written whole
	port *json.Encoder
}

func newReporter(port *os.File) *reporter { return &reporter{port: json.NewEncoder(port)} }

// report sends a report. When nobody listens any more there is nobody to tell.
func (r *reporter) report(report guest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.port.Encode(report)
}

// output is what a command prints to.
type output struct {
	*reporter
	command string
}

// Write reports what was printed.
func (o output) Write(text []byte) (int, error) {
	o.report(guest.Report{Event: guest.Output, Command: o.command, Data: text})
	return len(text), nil
}
