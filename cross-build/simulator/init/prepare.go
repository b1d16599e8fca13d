package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

// mounts are the file systems that programs expect.
var mounts = []struct{ kind, at string }{
	{"proc", "/proc"},
	{"sysfs", "/sys"},
	{"devtmpfs", "/dev"},
	{"devpts", "/dev/pts"},
	{"tmpfs", "/dev/shm"},
	{"tmpfs", "/tmp"},
	{"tmpfs", "/run"},
	{"debugfs", "/sys/kernel/debug"},
}

// prepare mounts what needs no module, and brings the loopback interface up.
func prepare() error {
	for _, m := range mounts {
		if err := mount(m.kind, m.at); err != nil {
			return err
		}
	}
	return linkUp("lo")
}

func mount(kind, at string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, at, kind, 0, ""); err != nil {
		return fmt.Errorf("cannot mount %s: %w", at, err)
	}
	return nil
}

// linkUp brings a network interface up: netdevice(7).
func linkUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(request))); errno != 0 {
		return fmt.Errorf("cannot bring %s up: %w", name, errno)
	}
	return nil
}

func readPlan() (guest.Plan, error) {
	var plan guest.Plan
	content, err := os.ReadFile(guest.PlanFile)
	if err != nil {
		return plan, err
	}
	return plan, json.Unmarshal(content, &plan)
}

// load loads a module, whose needs are loaded.
func load(m guest.Module) error {
	file, err := os.Open(filepath.Join(guest.ModuleDir, m.File))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.FinitModule(int(file.Fd()), m.Options, 0); err != nil {
		return fmt.Errorf("cannot load module %s: %w", m.File, err)
	}
	return nil
}
