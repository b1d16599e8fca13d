package kernel

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stampd/stampd/cross-build/simulator/debian"
)

// drivers are the files of the kernel's source that simulated hardware is made of, and that Debian's kernels leave out: lines
// that are pulled by hand, an adapter of SMBus with chips in memory, a battery that says what it is told, and the drivers of
// two gauges.
var drivers = []string{
	"drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c",
	"drivers/i2c/i2c-stub.c",
	"drivers/power/supply/test_power.c",
	"drivers/power/supply/max17040_battery.c",
	"drivers/power/supply/bq27xxx_battery_i2c.c",
}

// ErrNoCompiler means that this machine has no C compiler for an architecture.
var ErrNoCompiler = errors.New("cannot build drivers: there is no compiler for them")

// shims is what the drivers are built with: the kernel's Makefile for them, and what each needs before it.
//
//go:embed shim
var shims embed.FS

// build builds the drivers for a kernel of Debian.
type build struct {
	from    source
	archive *debian.Archive
	release string
	work    string // directory that may be filled
	into    string // directory for the modules
}

// run fetches the kernel's source and headers and leaves the modules in b.into.
func (b build) run(ctx context.Context, mirror string, say func(string, ...any)) error {
	if _, err := exec.LookPath(b.from.compiler + "gcc"); err != nil {
		return errors.Join(ErrNoCompiler, err)
	}
	line, _, _ := strings.Cut(b.release, "-") // "6.1.0-50-armmp" is of the series 6.1
	series := line[:strings.LastIndex(line, ".")]
	common := "linux-headers-" + strings.TrimSuffix(b.release, b.release[strings.LastIndex(b.release, "-"):]) + "-common"
	say("fetching its source and headers")
	tree := filepath.Join(b.work, "tree")
	if err := b.archive.Unpack(ctx, tree, "linux-headers-"+b.release, common, "linux-source-"+series); err != nil {
		return err
	}
	if err := b.fetchTools(ctx, mirror, "linux-kbuild-"+series, tree); err != nil {
		return err
	}
	say("building drivers of simulated hardware")
	module := filepath.Join(b.work, "module")
	if err := b.layOut(ctx, module, filepath.Join(tree, "usr/src/linux-source-"+series+".tar.xz")); err != nil {
		return err
	}
	headers := filepath.Join(tree, "usr/src/linux-headers-"+b.release)
	redirect := fmt.Sprintf("include %s/usr/src/%s/Makefile\n", tree, common) // the package's own names the place where it is installed
	if err := os.WriteFile(filepath.Join(headers, "Makefile"), []byte(redirect), 0o644); err != nil {
		return err
	}
	if err := command(ctx, "make", "-C", headers, "M="+module, "ARCH="+b.from.make, "CROSS_COMPILE="+b.from.compiler,
		"CC="+b.from.compiler+"gcc", "modules"); err != nil {
		return err
	}
	return b.keep(module)
}

// fetchTools fetches the programs that a kernel is built with, which are this machine's and not the kernel's.
func (b build) fetchTools(ctx context.Context, mirror, name, tree string) error {
	arch, err := exec.CommandContext(ctx, "dpkg", "--print-architecture").Output()
	if err != nil {
		return err
	}
	here, err := debian.Open(ctx, filepath.Join(b.work, "apt-tools"), mirror, suite, strings.TrimSpace(string(arch)))
	if err != nil {
		return err
	}
	return here.Unpack(ctx, tree, name)
}

// layOut puts the drivers and their shims into a directory.
func (b build) layOut(ctx context.Context, module, archive string) error {
	if err := os.CopyFS(module, shims); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(module, "shim/Kbuild"), filepath.Join(module, "Kbuild")); err != nil {
		return err
	}
	into := filepath.Join(module, "source")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	root := strings.TrimSuffix(filepath.Base(archive), ".tar.xz")
	args := []string{"-xJf", archive, "-C", into, "--occurrence=1", `--transform=s,.*/,,`}
	for _, d := range drivers {
		args = append(args, root+"/"+d)
	}
	return command(ctx, "tar", args...)
}

// keep moves the modules that were built to where they belong.
func (b build) keep(module string) error {
	built, err := filepath.Glob(filepath.Join(module, "*.ko"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.into, 0o755); err != nil {
		return err
	}
	for _, m := range built {
		if err := os.Rename(m, filepath.Join(b.into, filepath.Base(m))); err != nil {
			return err
		}
	}
	return nil
}

// command runs a program. The error ends with what it printed.
func command(ctx context.Context, program string, args ...string) error {
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "MAKEFLAGS=")
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", program, err, bytes.TrimSpace(printed.Bytes()))
	}
	return nil
}
