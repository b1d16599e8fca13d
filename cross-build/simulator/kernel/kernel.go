// Package kernel gets the kernels that the simulator boots: those of a release of Debian, with their modules, and with
// drivers of simulated hardware that Debian leaves out, built from Debian's own source. It is for the simulator and for tests
// on a real kernel. It installs nothing, needs no root, and does not touch what is in its cache once it is whole.
package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stampd/stampd/cross-build/simulator/debian"
)

// suite is the release of Debian whose kernels are booted. Its versions change with each point release, and are what the
// release has when the cache is filled.
const suite = "bookworm"

// source says what Debian and the kernel call an architecture.
type source struct {
	debian   string // architecture of Debian
	meta     string // package that depends on the kernel
	make     string // ARCH of the kernel's Makefile
	compiler string // prefix of the compiler
}

// sources are the architectures that can be booted, by the names of bin/linux-*.
var sources = map[string]source{
	"armv7": {"armhf", "linux-image-armmp", "arm", "arm-linux-gnueabihf-"},
	"arm64": {"arm64", "linux-image-arm64", "arm64", "aarch64-linux-gnu-"},
}

// Kernel is a kernel that can be booted.
type Kernel struct {
	Arch    string // "armv7" or "arm64"
	Release string // as uname(1) has it: "6.1.0-50-armmp"
	Image   string // file
	Modules *Modules
}

// Fetch returns the kernel of an architecture, "armv7" or "arm64". The first call downloads some 200 MB of packages and builds
// drivers, within a minute or two; what it makes lies in a directory of its own below cache, and later calls do nothing but
// read it. Removing that directory is how to get a newer kernel. say is told what is being done.
func Fetch(ctx context.Context, cache, arch string, say func(format string, args ...any)) (*Kernel, error) {
	from, known := sources[arch]
	if !known {
		return nil, fmt.Errorf("cannot boot architecture %q: it is not armv7 or arm64", arch)
	}
	dir := filepath.Join(cache, "debian-"+suite+"-"+from.debian)
	if _, err := os.Stat(dir); err != nil {
		if err := fill(ctx, dir, from, say); err != nil {
			return nil, err
		}
	}
	return open(dir, arch)
}

// open reads a kernel from a directory that was filled.
func open(dir, arch string) (*Kernel, error) {
	images, _ := filepath.Glob(filepath.Join(dir, "boot/vmlinuz-*"))
	if len(images) != 1 {
		return nil, fmt.Errorf("cannot find one kernel in %s: there are %d (remove the directory to fetch it again)", dir, len(images))
	}
	modules, err := ReadModules(filepath.Join(dir, "lib/modules"), filepath.Join(dir, "extra"))
	if err != nil {
		return nil, err
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	return &Kernel{Arch: arch, Release: release, Image: images[0], Modules: modules}, nil
}

// fill makes the directory of a kernel, whole or not at all.
func fill(ctx context.Context, dir string, from source, say func(string, ...any)) error {
	mirror, err := debian.Mirror(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	say("reading the lists of Debian %s for %s", suite, from.debian)
	archive, err := debian.Open(ctx, filepath.Join(work, "apt"), mirror, suite, from.debian)
	if err != nil {
		return err
	}
	names, err := archive.Depends(ctx, from.meta)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "linux-image-") })
	if at < 0 {
		return fmt.Errorf("cannot tell which kernel %s stands for", from.meta)
	}
	say("fetching %s", names[at])
	root := filepath.Join(work, "root")
	if err := archive.Unpack(ctx, root, names[at]); err != nil {
		return err
	}
	release := strings.TrimPrefix(names[at], "linux-image-")
	b := build{from: from, archive: archive, release: release, work: work, into: filepath.Join(root, "extra")}
	if err := b.run(ctx, mirror, say); err != nil {
		return err
	}
	return os.Rename(root, dir)
}
