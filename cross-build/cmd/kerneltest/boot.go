package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/stampd/stampd/cross-build/simulator/guest"
	"github.com/stampd/stampd/cross-build/simulator/qemu"
)

// boot boots the kernel with an initramfs, and reports whether all tests passed there.
func (s suite) boot(ctx context.Context, image string) (bool, error) {
	machine := qemu.Machine{
		Arch: s.arch, Kernel: s.kernel.Image, Initramfs: image, Memory: 512, Cores: 1, Options: "quiet", Port: guest.PortName,
		OwnTime: true,
	}
	running, err := machine.Start(ctx)
	if err != nil {
		return false, err
	}
	defer running.Close()
	results := newResults(ctx, os.Stdout)
	err = guest.Follow(running.Port, results.take)
	passed, closing := results.close()
	if err == nil {
		err = running.Wait()
	}
	err = errors.Join(err, closing)
	if ctx.Err() != nil {
		err = fmt.Errorf("the machine was ended after %v: %w", s.timeout, err)
	}
	if !passed || err != nil {
		fmt.Fprintf(os.Stderr, "the machine's console:\n%s", running.Console())
	}
	return passed, err
}
