package main

import (
	"context"
	"errors"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

// environment is what every command has.
var environment = []string{"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TMPDIR=/tmp"}

// do loads the modules of a plan and runs its commands.
func do(plan guest.Plan, r *reporter) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	r.report(guest.Report{Event: guest.Booted, Text: unix.ByteSliceToString(name.Release[:])})
	for _, m := range plan.Modules {
		if err := load(m); err != nil {
			r.report(guest.Report{Event: guest.Failed, Text: err.Error()})
			return err
		}
	}
	_ = mount("configfs", "/sys/kernel/config") // it is a module of some kernels, and not every plan loads it
	daemons, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	for _, c := range plan.Commands {
		if c.Daemon {
			running.Go(func() { r.report(execute(daemons, c, r)) })
			continue
		}
		r.report(execute(context.Background(), c, r))
	}
	cancel()
	running.Wait()
	r.report(guest.Report{Event: guest.Done})
	return nil
}

// execute runs a command to its end.
func execute(ctx context.Context, c guest.Command, r *reporter) guest.Report {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(append([]string(nil), environment...), c.Env...)
	cmd.Stdout = output{r, c.Name}
	cmd.Stderr = cmd.Stdout
	report := guest.Report{Event: guest.Exited, Command: c.Name}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		report.Code = exit.ExitCode()
	} else if err != nil {
		report.Code = -1
	}
	if err != nil {
		report.Text = err.Error()
	}
	return report
}
