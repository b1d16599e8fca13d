// Command init is the first process of the simulator's guest. It mounts what programs expect, loads modules, runs the
// commands of the plan that it finds, reports what they print and how they end, and powers off. It is for the simulator alone:
// everything runs as root, and nothing is kept.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "error: init is for the simulator's guest: it runs as its first process")
		os.Exit(1)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err) // the console's
	}
	unix.Sync()
	err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Fprintln(os.Stderr, "init: cannot power off:", err)
}

// run does the plan.
func run() error {
	if err := prepare(); err != nil {
		return err
	}
	plan, err := readPlan()
	if err != nil {
		return err
	}
	for _, m := range plan.Port {
		if err := load(m); err != nil {
			return err
		}
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	defer port.Close()
	return do(plan, newReporter(port))
}
