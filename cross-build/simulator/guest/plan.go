// Package guest is what the simulator and the first process of its guest say to each other: a [Plan] goes in as a file of the
// initramfs, and [Report]s come out through a port. Both sides use it, and nobody else.
package guest

import (
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Places in the guest.
const (
	PlanFile  = "/etc/plan.json" // the plan, as JSON
	ModuleDir = "/lib/modules"   // files of modules
	PortName  = "stampd.report"  // port of virtio-serial that reports go to, a line of JSON each
)

// Plan says what a guest does between its start and its end: it loads the modules, runs the commands one after the other, and
// powers off.
type Plan struct {
	Port     []Module  // what the port for reports needs, loaded first
	Modules  []Module  // in the order in which they can be loaded
	Commands []Command // run one after the other, whether or not the one before failed
}

// Module is a module to load.
type Module struct {
	File    string // below ModuleDir
	Options string // as in /etc/modprobe.d: "chip_addr=0x0b"
}

// Command is a program to run as root, with its output and errors reported.
type Command struct {
	Name    string        // in reports
	Path    string        // of the program
	Args    []string      // without the program's name
	Env     []string      // "NAME=value", beside PATH, HOME and TMPDIR
	Dir     string        // where it runs
	Timeout time.Duration // after which it is killed; 0 is never
	Daemon  bool          // runs beside the commands after it, until the end
}

// Report is one thing that happened in a guest.
type Report struct {
	Event   Event
	Command string `json:",omitempty"` // which one: for Output and Exited
	Data    []byte `json:",omitempty"` // what was printed, cut anywhere
	Text    string `json:",omitempty"` // why something failed; the kernel's release for Booted
	Code    int    `json:",omitempty"` // exit status of the command; -1 when it was killed
}

// Event is a kind of report.
type Event string

// Kinds of reports.
const (
	Booted Event = "booted" // the port is there
	Output Event = "output" // a command printed something
	Exited Event = "exited" // a command ended
	Failed Event = "failed" // the guest can't do what the plan says
	Done   Event = "done"   // all commands ended; the last report of a guest
)

// ErrIncomplete means that a guest ended without having done its plan.
var ErrIncomplete = errors.New("the guest ended before its plan was done")

// Follow calls each with the reports that are read from r, until the guest says that it is done. It returns ErrIncomplete when
// r ends before that.
func Follow(r io.Reader, each func(Report) error) error {
	for reports := json.NewDecoder(r); ; {
		var report Report
		if err := reports.Decode(&report); err != nil {
			return errors.Join(ErrIncomplete, err)
		}
		if err := each(report); err != nil {
			return err
		}
		if report.Event == Done {
			return nil
		}
	}
}
