// Command kerneltest runs tests of this module as root on a real kernel with simulated hardware: Debian's, for ARM, in QEMU.
// It prints what "go test -json" prints; .ci/tally makes a table of it. A test that skips has failed: on this kernel there is
// everything that the tests ask for. Those that ask for something of the kernel's are called TestKernel and more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/stampd/stampd/cross-build/simulator/debian"
	"github.com/stampd/stampd/cross-build/simulator/kernel"
	"github.com/stampd/stampd/cross-build/simulator/qemu"
)

// options are the settings of the command.
type options struct {
	arch, cache, run string
	timeout          time.Duration
	environment      []string // "NAME=value", for the tests
	packages         []string // folders below the module's root
}

func main() {
	var o options
	flag.StringVar(&o.arch, "arch", "armv7", "architecture: armv7 or arm64")
	flag.StringVar(&o.cache, "cache", "", "directory of kernels (default stampd/simulator in the user's cache directory)")
	flag.StringVar(&o.run, "run", "^TestKernel", "run the tests that match the regular expression")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Minute, "end after so long")
	flag.Func("env", "set NAME=value for the tests; may be given again", func(value string) error {
		o.environment = append(o.environment, value)
		return nil
	})
	flag.Parse()
	if o.packages = flag.Args(); len(o.packages) == 0 {
		o.packages = []string{"hal", "hal/haltest"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		if hint := hintFor(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// hintFor says what to do about an error.
func hintFor(err error) string {
	switch {
	case errors.Is(err, qemu.ErrNoQEMU):
		return "install Debian's package qemu-system-arm, or run .ci/setup kernel"
	case errors.Is(err, debian.ErrNoMirror):
		return "this needs a Debian whose apt-get update was run once"
	case errors.Is(err, kernel.ErrNoCompiler):
		return "install Debian's package gcc-arm-linux-gnueabihf or gcc-aarch64-linux-gnu, or run .ci/setup kernel"
	}
	return ""
}

// run boots a kernel, runs the tests there, and reports whether all of them passed.
func run(ctx context.Context, o options) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return false, err
		}
		o.cache = filepath.Join(base, "stampd/simulator")
	}
	k, err := kernel.Fetch(ctx, o.cache, o.arch, say)
	if err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "kerneltest-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	s := suite{options: o, kernel: k, work: work}
	image, err := s.build(ctx)
	if err != nil {
		return false, err
	}
	say("booting %s", k.Release)
	return s.boot(ctx, image)
}

// say tells what is being done.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
