// Package qemu starts QEMU's machine "virt" with a kernel and an initramfs, and tells what comes out of it. It is for the
// simulator and for tests on a real kernel. The machine is emulated (TCG): no KVM is needed, no root and no network.
package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// ErrNoQEMU means that QEMU's emulator for an architecture is not installed.
var ErrNoQEMU = errors.New("QEMU is not installed")

// goodbye is how long QEMU may take to end once it was told to.
const goodbye = 5 * time.Second

// target is what QEMU calls an architecture.
type target struct{ program, machine, processor string }

// targets are the architectures, by the names of bin/linux-*. Without highmem=off the kernel for armv7 does not find the PCI
// bus, since it uses no large physical addresses.
var targets = map[string]target{
	"armv7": {"qemu-system-arm", "virt,highmem=off", "cortex-a7"},
	"arm64": {"qemu-system-aarch64", "virt", "cortex-a53"},
}

// Machine is a machine to be started.
type Machine struct {
	Arch      string // "armv7" or "arm64"
	Kernel    string // file
	Initramfs string // file
	Memory    int    // MiB
	Cores     int
	Options   string // for the kernel's command line, beside where its console is
	Port      string // name of the port of virtio-serial that is Running.Port

	// OwnTime means that the guest's time passes by the instructions that it carries out, 4 ns each, and that it waits for nothing: no
	// timeout of the guest's ends early because this machine has much else to do. It is for tests that are alone in the guest;
	// what talks to the world outside needs the world's time, and two cores take turns so badly that one is what it is good for.
	OwnTime bool
}

// Running is a machine that was started. Close must be called.
type Running struct {
	// Port is what the guest's port says. It ends when the machine does.
	Port net.Conn

	console bytes.Buffer // may be read when ended is closed
	ended   chan struct{}
	err     error // of QEMU; may be read when ended is closed
	cancel  context.CancelFunc
	dir     string
}

// Start starts the machine, and returns once QEMU runs. The machine is ended when ctx is. The error wraps ErrNoQEMU when
// there is no QEMU for it.
func (m Machine) Start(ctx context.Context) (*Running, error) {
	arch, known := targets[m.Arch]
	if !known {
		return nil, fmt.Errorf("cannot emulate architecture %q: it is not armv7 or arm64", m.Arch)
	}
	program, err := exec.LookPath(arch.program)
	if err != nil {
		return nil, errors.Join(ErrNoQEMU, err)
	}
	dir, err := os.MkdirTemp("", "qemu-")
	if err != nil {
		return nil, err
	}
	r := &Running{ended: make(chan struct{}), dir: dir}
	socket := filepath.Join(dir, "port")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer listener.Close()
	ctx, r.cancel = context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, m.arguments(arch, socket)...)
	cmd.Stdout, cmd.Stderr = &r.console, &r.console
	cmd.WaitDelay = goodbye
	if err := cmd.Start(); err != nil {
		r.cancel()
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	go func() {
		defer close(r.ended)
		r.err = cmd.Wait()
		_ = listener.Close()
	}()
	if r.Port, err = listener.Accept(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start %s: it ended at once: %s", arch.program, bytes.TrimSpace(r.Console())), r.Close())
	}
	return r, nil
}

// arguments are the arguments that QEMU is started with.
func (m Machine) arguments(arch target, socket string) []string {
	time := []string{"-accel", "tcg,thread=multi"}
	if m.OwnTime {
		time = []string{"-accel", "tcg,thread=single", "-icount", "shift=2,sleep=off", "-rtc", "clock=vm"}
	}
	return append(time,
		"-machine", arch.machine, "-cpu", arch.processor,
		"-smp", strconv.Itoa(m.Cores), "-m", strconv.Itoa(m.Memory),
		"-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio",
		"-kernel", m.Kernel, "-initrd", m.Initramfs,
		"-append", "console=ttyAMA0,115200 panic=-1 "+m.Options,
		"-device", "virtio-rng-device",
		"-device", "virtio-serial-device",
		"-chardev", "socket,id=port,path="+socket,
		"-device", "virtserialport,chardev=port,name="+m.Port,
	)
}

// Console ends the machine, and returns what it wrote to its console and what QEMU complained of.
func (r *Running) Console() []byte {
	r.cancel()
	<-r.ended
	return r.console.Bytes()
}

// Wait waits for the machine to power off. It fails when it was ended otherwise.
func (r *Running) Wait() error {
	<-r.ended
	return r.err
}

// Close ends the machine, and removes what was needed for it.
func (r *Running) Close() error {
	r.cancel()
	<-r.ended
	var err error
	if r.Port != nil {
		err = r.Port.Close()
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}
